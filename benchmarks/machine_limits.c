// What one core does at best: fused multiply-adds on registers, and reading memory in order.
// Built by machine_limits.py with -O3 -march=native.

#include <stddef.h>
#include <string.h>

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
typedef float vector __attribute__((vector_size(LANES * sizeof(float))));

// Enough independent chains to cover a latency of five cycles at two operations a cycle; they fit 16 registers.
enum { CHAINS = 12 };

// Runs `rounds` rounds and returns the floating-point operations that they took.
double fma_rounds(long rounds, float *sink) {
  vector a[CHAINS], factor, summand;
  for (int i = 0; i < CHAINS; i++)
    for (int j = 0; j < LANES; j++)
      a[i][j] = (float)i;
  for (int j = 0; j < LANES; j++) {
    factor[j] = 0.999f;
    summand[j] = 0.001f;
  }
  for (long r = 0; r < rounds; r++) {
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++)
      a[i] = a[i] * factor + summand;
  }
  for (int i = 0; i < CHAINS; i++)
    for (int j = 0; j < LANES; j++)
      *sink += a[i][j];
  return 2.0 * LANES * CHAINS * (double)rounds;
}

// Sums `count` floats (a multiple of 4 * LANES).
float read_all(const float *data, size_t count) {
  vector s[4] = {};
  for (size_t i = 0; i < count; i += 4 * LANES)
    for (int j = 0; j < 4; j++) {
      vector x;
      memcpy(&x, data + i + (size_t)(j * LANES), sizeof x);
      s[j] += x;
    }
  float total = 0;
  for (int j = 0; j < 4; j++)
    for (int l = 0; l < LANES; l++)
      total += s[j][l];
  return total;
}
