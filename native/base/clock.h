#pragma once

#include <cstdint>

namespace tesselle {

/// A cheap counter for deciding what is worth sharing among threads (about 10 ns on x86, where it is the TSC).
uint64_t now_ticks();

/// Ticks of now_ticks() in one nanosecond; measured once, on first use.
double ticks_per_ns();

/// Monotonic nanoseconds, on the same clock as Python's time.monotonic_ns().
int64_t now_ns();

/// Tells the processor that this thread only waits.
inline void spin_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace tesselle
