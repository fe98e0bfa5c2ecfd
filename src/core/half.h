// fp16 and bf16 as storage: 16 bits with exact widening and round-to-nearest-even narrowing.
#pragma once

#include <bit>
#include <cstdint>

#include "core/dtype.h"

namespace flashcore::core {

/// IEEE 754 binary16.
struct Float16 {
  std::uint16_t bits;
};

/// The upper half of an IEEE 754 binary32.
struct BFloat16 {
  std::uint16_t bits;
};

constexpr float to_float(float value) {
  return value;
}

constexpr float to_float(BFloat16 value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16);
}

constexpr float to_float(Float16 value) {
  const std::uint32_t sign = (value.bits & 0x8000U) << 16;
  const std::uint32_t exponent = (value.bits >> 10) & 0x1FU;
  const std::uint32_t mantissa = value.bits & 0x3FFU;
  if (exponent == 0) {  // zero and subnormals: mantissa * 2^-24, exact in fp32
    const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | sign);
  }
  const std::uint32_t biased = exponent == 0x1F ? 0xFFU : exponent + (127 - 15);
  return std::bit_cast<float>(sign | (biased << 23) | (mantissa << 13));
}

/// Narrows by rounding to nearest, ties to even; overflow gives infinity, NaN stays NaN.
template <typename T>
constexpr T from_float(float value) = delete;

template <>
constexpr float from_float<float>(float value) {
  return value;
}

template <>
constexpr BFloat16 from_float<BFloat16>(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U)  // NaN: keep it quiet, never round it to infinity
    return {static_cast<std::uint16_t>((bits >> 16) | 0x40U)};
  const std::uint32_t round_to_even = 0x7FFFU + ((bits >> 16) & 1U);
  return {static_cast<std::uint16_t>((bits + round_to_even) >> 16)};
}

template <>
constexpr Float16 from_float<Float16>(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return {static_cast<std::uint16_t>(sign | 0x7E00U)};
  if (magnitude >= 0x477FF000U)  // 65520 and above round to infinity
    return {static_cast<std::uint16_t>(sign | 0x7C00U)};
  if (magnitude < 0x38800000U) {  // below 2^-14: subnormal, a multiple of 2^-24
    // Adding 0.5 aligns the value so that fp32's own rounding rounds at 2^-24.
    const float aligned = std::bit_cast<float>(magnitude) + 0.5F;
    const std::uint32_t mantissa = std::bit_cast<std::uint32_t>(aligned) - 0x3F000000U;
    return {static_cast<std::uint16_t>(sign | mantissa)};
  }
  const std::uint32_t rebased = magnitude - ((127U - 15U) << 23);
  const std::uint32_t round_to_even = 0xFFFU + ((rebased >> 13) & 1U);
  return {static_cast<std::uint16_t>(sign | ((rebased + round_to_even) >> 13))};
}

/// Calls `visit` with a value-initialised object of the dtype's storage type and returns its
/// result.
template <typename Visitor>
constexpr decltype(auto) visit_storage(Dtype dtype, Visitor&& visit) {
  switch (dtype) {
    case Dtype::float16: return visit(Float16{});
    case Dtype::bfloat16: return visit(BFloat16{});
    case Dtype::float32: break;
  }
  return visit(float{});
}

}  // namespace flashcore::core
