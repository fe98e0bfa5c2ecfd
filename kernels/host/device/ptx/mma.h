// The matrix instruction mma.m16n8k16 with fp32 sums.
#pragma once

#include "device/ptx/element.h"
#include "host/current.h"

namespace flashcore::device {

constexpr Element element_of(Float16) {
  return Element::float16;
}
constexpr Element element_of(BFloat16) {
  return Element::bfloat16;
}

/// d = A * B + c, where c may be d.
template <typename T>
inline void multiply_add(T type, const float (&c)[4], const unsigned (&a)[4], unsigned b_low,
                         unsigned b_high, float (&d)[4],
                         std::source_location line = std::source_location::current()) {
  const host::Sums sums = host::call<&host::Machine::multiply_add>(
      element_of(type), host::Sums{c[0], c[1], c[2], c[3]}, host::Words{a[0], a[1], a[2], a[3]},
      b_low, b_high, host::Site(line));
  for (int i = 0; i < 4; ++i) d[i] = sums.values[i];
}

/// sums = A * B.
template <typename T>
inline void multiply(T type, float (&sums)[4], const unsigned (&a)[4], unsigned b_low,
                     unsigned b_high, std::source_location line = std::source_location::current()) {
  const float zero[4] = {};
  multiply_add(type, zero, a, b_low, b_high, sums, line);
}

/// sums += A * B.
template <typename T>
inline void multiply_accumulate(T type, float (&sums)[4], const unsigned (&a)[4], unsigned b_low,
                                unsigned b_high,
                                std::source_location line = std::source_location::current()) {
  multiply_add(type, sums, a, b_low, b_high, sums, line);
}

}  // namespace flashcore::device
