#include "base/futex.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace tesselle {

#if defined(__linux__)

// The bare system call rather than std::atomic::wait: libstdc++ spins and keeps a proxy table of its own, and wakes
// all.
void futex_wait(std::atomic<uint32_t>& word, uint32_t expected) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}

void futex_wake(std::atomic<uint32_t>& word, int count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

#else

void futex_wait(std::atomic<uint32_t>& word, uint32_t expected) { word.wait(expected); }

void futex_wake(std::atomic<uint32_t>& word, int count) {
  if (count == 1) {
    word.notify_one();
  } else {
    word.notify_all();
  }
}

#endif

}  // namespace tesselle
