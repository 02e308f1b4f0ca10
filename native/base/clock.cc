#include "base/clock.h"

#include <chrono>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace tesselle {

int64_t now_ns() {
  using std::chrono::duration_cast;
  return duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

#if defined(__x86_64__)

uint64_t now_ticks() { return __rdtsc(); }

static double measure() {
  const int64_t begin_ns = now_ns();
  const uint64_t begin = now_ticks();
  int64_t elapsed_ns = 0;
  // 200 µs give the rate to about 0.1 %; the decisions it serves need no more than a factor of two.
  while ((elapsed_ns = now_ns() - begin_ns) < 200'000) spin_pause();
  return static_cast<double>(now_ticks() - begin) / static_cast<double>(elapsed_ns);
}

double ticks_per_ns() {
  static const double rate = measure();
  return rate;
}

#else

uint64_t now_ticks() { return static_cast<uint64_t>(now_ns()); }
double ticks_per_ns() { return 1.0; }

#endif

}  // namespace tesselle
