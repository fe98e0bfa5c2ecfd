// Conversions between the storage types and fp32, rounded as cvt.rn rounds.
#pragma once

#include "device/element.h"
#include "host/current.h"

namespace flashcore::device {

inline float to_float(Float16 value) {
  host::call<&host::Machine::count>(host::Instruction::convert);
  return static_cast<float>(__builtin_bit_cast(_Float16, value.bits));
}

inline float to_float(BFloat16 value) {
  return __builtin_bit_cast(float, static_cast<unsigned>(value.bits) << 16);
}

/// Of a NaN, cvt makes this one.
inline constexpr unsigned short nan_bits = 0x7FFF;

/// Rounds to nearest, ties to even.
inline void from_float(float value, Float16& rounded) {
  host::call<&host::Machine::count>(host::Instruction::convert);
  const auto half = static_cast<_Float16>(value);
  rounded.bits = value != value ? nan_bits : __builtin_bit_cast(unsigned short, half);
}

inline void from_float(float value, BFloat16& rounded) {
  host::call<&host::Machine::count>(host::Instruction::convert);
  const auto bits = __builtin_bit_cast(unsigned, value);
  const unsigned half_way = 0x7FFFU + (bits >> 16 & 1U);  // of the bits that go, to even
  rounded.bits = value != value ? nan_bits : static_cast<unsigned short>((bits + half_way) >> 16);
}

/// Two rounded values in one register, `low` in its lower half.
template <typename T>
inline unsigned pack(T, float low, float high) {
  T rounded_low;
  T rounded_high;
  from_float(low, rounded_low);
  from_float(high, rounded_high);
  return rounded_low.bits | static_cast<unsigned>(rounded_high.bits) << 16;
}

}  // namespace flashcore::device
