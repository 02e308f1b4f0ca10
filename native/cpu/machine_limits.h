#pragma once

namespace tesselle::cpu {

/// What the machine can do at most, as a loop that does nothing else measures it.
struct MachineLimits {
  double flops_per_s;  ///< fused multiply-adds of f32 on registers, two operations each
  double bytes_per_s;  ///< memory read in order, from a region larger than the caches
};

/// Measures with so many threads at once, for about `seconds`; the best of several tries.
MachineLimits measure_machine_limits(int threads, double seconds);

}  // namespace tesselle::cpu
