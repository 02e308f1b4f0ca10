#include "cpu/machine_limits.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "image/cpu_features.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tesselle::cpu {
namespace {

/// Independent chains of multiply-adds: they cover a latency of five cycles at two operations a cycle.
constexpr int kChains = 12;
constexpr int64_t kRounds = 20'000;
constexpr int kTries = 4;
constexpr size_t kReadBytes = size_t{64} << 20;

/// Runs rounds of kChains multiply-adds; returns the operations that they count as.
using MultiplyAdd = double (*)(float* sink);

#if defined(__x86_64__)

__attribute__((target("avx512f"))) double multiply_add_avx512(float* sink) {
  __m512 sums[kChains];
  for (int i = 0; i < kChains; i++) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 factor = _mm512_set1_ps(0.999F);
  const __m512 summand = _mm512_set1_ps(0.001F);
  for (int64_t round = 0; round < kRounds; round++) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; i++) sums[i] = _mm512_fmadd_ps(sums[i], factor, summand);
  }
  for (int i = 0; i < kChains; i++) *sink += _mm512_reduce_add_ps(sums[i]);
  return 2.0 * 16 * kChains * kRounds;
}

__attribute__((target("avx2,fma"))) double multiply_add_avx2(float* sink) {
  __m256 sums[kChains];
  for (int i = 0; i < kChains; i++) sums[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 factor = _mm256_set1_ps(0.999F);
  const __m256 summand = _mm256_set1_ps(0.001F);
  for (int64_t round = 0; round < kRounds; round++) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; i++) sums[i] = _mm256_fmadd_ps(sums[i], factor, summand);
  }
  for (int i = 0; i < kChains; i++) *sink += _mm256_cvtss_f32(sums[i]);
  return 2.0 * 8 * kChains * kRounds;
}

#endif

/// Without fused multiply-adds: a product and a sum of vectors of four.
double multiply_add_plain(float* sink) {
  using Vector = float __attribute__((vector_size(16)));
  Vector sums[kChains];
  for (int i = 0; i < kChains; i++) sums[i] = Vector{} + static_cast<float>(i);
  const Vector factor = Vector{} + 0.999F;
  const Vector summand = Vector{} + 0.001F;
  for (int64_t round = 0; round < kRounds; round++) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; i++) sums[i] = sums[i] * factor + summand;
  }
  for (int i = 0; i < kChains; i++) *sink += sums[i][0];
  return 2.0 * 4 * kChains * kRounds;
}

MultiplyAdd best_multiply_add() {
#if defined(__x86_64__)
  const auto& features = image::cpu_features();
  if (features.count("avx512f") != 0) return multiply_add_avx512;
  if (features.count("avx2") != 0 && features.count("fma") != 0) return multiply_add_avx2;
#endif
  return multiply_add_plain;
}

/// Reads memory in order; the sum keeps the compiler from leaving it out.
uint64_t read_all(const uint64_t* data, size_t count) {
  uint64_t sums[8] = {};
  for (size_t i = 0; i + 8 <= count; i += 8) {
    for (size_t j = 0; j < 8; j++) sums[j] += data[i + j];
  }
  uint64_t total = 0;
  for (const uint64_t s : sums) total += s;
  return total;
}

/// The rates of all threads together while each repeats `work` for `ns` nanoseconds; `work` returns what it has done.
double rate(int threads, int64_t ns, const std::function<double(int)>& work) {
  std::vector<double> rates(static_cast<size_t>(threads));
  std::atomic<int> waiting{threads};
  const auto run = [&](int thread) {
    waiting.fetch_sub(1);
    while (waiting.load() > 0) spin_pause();
    const int64_t start = now_ns();
    double done = 0;
    int64_t end = start;
    do {
      done += work(thread);
      end = now_ns();
    } while (end - start < ns);
    rates[static_cast<size_t>(thread)] = done * 1e9 / static_cast<double>(end - start);
  };
  std::vector<std::thread> others;
  others.reserve(static_cast<size_t>(threads - 1));
  for (int i = 1; i < threads; i++) others.emplace_back(run, i);
  run(0);
  for (std::thread& t : others) t.join();
  double total = 0;
  for (const double r : rates) total += r;
  return total;
}

}  // namespace

MachineLimits measure_machine_limits(int threads, double seconds) {
  threads = std::max(1, threads);
  const auto ns = static_cast<int64_t>(std::clamp(seconds, 0.001, 60.0) * 1e9 / (2 * kTries));
  const MultiplyAdd multiply_add = best_multiply_add();
  std::vector<float> sinks(static_cast<size_t>(threads) * 64);
  const std::vector<uint64_t> memory(kReadBytes / sizeof(uint64_t), 1);
  const size_t part = memory.size() / static_cast<size_t>(threads);
  std::atomic<uint64_t> sum{0};
  MachineLimits best{0, 0};
  for (int i = 0; i < kTries; i++) {
    best.flops_per_s =
        std::max(best.flops_per_s, rate(threads, ns, [&](int t) { return multiply_add(&sinks[size_t(t) * 64]); }));
    best.bytes_per_s = std::max(best.bytes_per_s, rate(threads, ns, [&](int t) {
                                  sum += read_all(memory.data() + size_t(t) * part, part);
                                  return static_cast<double>(part * sizeof(uint64_t));
                                }));
  }
  return best;
}

}  // namespace tesselle::cpu
