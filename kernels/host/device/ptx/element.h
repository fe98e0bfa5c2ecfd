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

/// sum + 0 * pair, both halves: what is 0 stays 0 until an element is infinite or NaN, and is NaN
/// from then on.
template <typename T>
inline unsigned add_zero_times(T type, unsigned pair, unsigned sum) {
  const auto element = [](unsigned word, int half) {
    T bits;
    bits.bits = static_cast<unsigned short>(word >> half * 16);
    return to_float(bits);
  };
  return pack(type, element(sum, 0) + 0.0F * element(pair, 0),
              element(sum, 1) + 0.0F * element(pair, 1));
}

}  // namespace flashcore::device
