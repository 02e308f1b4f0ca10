#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

/// The meaning of the VM's arithmetic: defined for every operand, never trapping. See vm_isa.py.
namespace tesselle::vm::arithmetic {

template <typename T>
using Unsigned = std::make_unsigned_t<T>;

template <typename T>
T add(T a, T b) {
  return static_cast<T>(static_cast<Unsigned<T>>(a) + static_cast<Unsigned<T>>(b));
}
template <typename T>
T sub(T a, T b) {
  return static_cast<T>(static_cast<Unsigned<T>>(a) - static_cast<Unsigned<T>>(b));
}
template <typename T>
T mul(T a, T b) {
  return static_cast<T>(static_cast<Unsigned<T>>(a) * static_cast<Unsigned<T>>(b));
}
template <typename T>
T div_s(T a, T b) {
  if (b == 0) return 0;
  if (b == -1) return sub(T{0}, a);
  return a / b;
}
template <typename T>
T rem_s(T a, T b) {
  if (b == 0 || b == -1) return 0;
  return a % b;
}
template <typename T>
T div_u(T a, T b) {
  return b == 0 ? T{0} : static_cast<T>(static_cast<Unsigned<T>>(a) / static_cast<Unsigned<T>>(b));
}
template <typename T>
T rem_u(T a, T b) {
  return b == 0 ? T{0} : static_cast<T>(static_cast<Unsigned<T>>(a) % static_cast<Unsigned<T>>(b));
}
template <typename T>
constexpr Unsigned<T> kWidth = 8 * sizeof(T);
template <typename T>
T shl(T a, T b) {
  const auto amount = static_cast<Unsigned<T>>(b);
  return amount >= kWidth<T> ? T{0} : static_cast<T>(static_cast<Unsigned<T>>(a) << amount);
}
template <typename T>
T shr_u(T a, T b) {
  const auto amount = static_cast<Unsigned<T>>(b);
  return amount >= kWidth<T> ? T{0} : static_cast<T>(static_cast<Unsigned<T>>(a) >> amount);
}
template <typename T>
T shr_s(T a, T b) {
  const auto amount = static_cast<Unsigned<T>>(b);
  return a >> (amount >= kWidth<T> ? kWidth<T> - 1 : amount);
}
template <typename T>
T min_u(T a, T b) {
  return static_cast<Unsigned<T>>(a) < static_cast<Unsigned<T>>(b) ? a : b;
}
template <typename T>
T max_u(T a, T b) {
  return static_cast<Unsigned<T>>(a) > static_cast<Unsigned<T>>(b) ? a : b;
}

/// -0 counts as less than +0; NaN when either is NaN.
template <typename T>
T min_f(T a, T b) {
  if (std::isnan(a) || std::isnan(b)) return a + b;
  if (a == b) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}
template <typename T>
T max_f(T a, T b) {
  if (std::isnan(a) || std::isnan(b)) return a + b;
  if (a == b) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

/// Float to integer I: truncates, saturates, NaN gives 0.
template <typename I, typename F>
I to_integer(F value) {
  if (std::isnan(value)) return 0;
  // 2^digits is exact in F, the largest integer itself may not be.
  const F above = std::ldexp(F{1}, std::numeric_limits<I>::digits);
  if (value >= above) return std::numeric_limits<I>::max();
  if constexpr (std::is_signed_v<I>) {
    if (value < -above) return std::numeric_limits<I>::min();
  } else {
    if (value <= F{-1}) return 0;
  }
  return static_cast<I>(value);
}

template <typename To, typename From>
To bits(From value) {
  static_assert(sizeof(To) == sizeof(From));
  To result;
  std::memcpy(&result, &value, sizeof result);
  return result;
}

}  // namespace tesselle::vm::arithmetic
