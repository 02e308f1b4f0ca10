#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tesselle {

/// While it lives, this thread computes as kernels expect: rounding to nearest, with subnormals, no traps. The thread
/// may have been set to something else by another library (or, being started by such a thread, inherited it).
class FloatEnvironment {
 public:
  FloatEnvironment(const FloatEnvironment&) = delete;
  FloatEnvironment& operator=(const FloatEnvironment&) = delete;
#if defined(__x86_64__)
  FloatEnvironment() : saved_(_mm_getcsr()) {
    if (saved_ != kDefault) _mm_setcsr(kDefault);
  }
  ~FloatEnvironment() {
    if (saved_ != kDefault) _mm_setcsr(saved_);
  }

 private:
  static constexpr unsigned kDefault = 0x1F80;
  const unsigned saved_;
#else
  FloatEnvironment() = default;
#endif
};

}  // namespace tesselle
