// Conversions between the storage types and fp32.
//
// fp16 uses PTX cvt (ISA 9.7.9, "Data Movement and Conversion: cvt"); widening bf16 is a shift,
// because cvt.f32.bf16 needs sm_90 and these run from sm_80 on.
#pragma once

#include "device/element.h"

namespace flashcore::device {

inline float to_float(Float16 value) {
  float widened;
  asm("cvt.f32.f16 %0, %1;" : "=f"(widened) : "h"(value.bits));
  return widened;
}

inline float to_float(BFloat16 value) {
  return __uint_as_float(static_cast<unsigned>(value.bits) << 16);
}

/// Rounds to nearest, ties to even.
inline void from_float(float value, Float16& rounded) {
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(rounded.bits) : "f"(value));
}

inline void from_float(float value, BFloat16& rounded) {
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(rounded.bits) : "f"(value));
}

/// Two rounded values in one register, `low` in its lower half.
inline unsigned pack(Float16, float low, float high) {
  unsigned packed;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

inline unsigned pack(BFloat16, float low, float high) {
  unsigned packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

/// sum + 0 * pair, both halves: what is 0 stays 0 until an element is infinite or NaN, and is NaN
/// from then on.
inline unsigned add_zero_times(Float16, unsigned pair, unsigned sum) {
  unsigned result;
  asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(pair), "r"(0), "r"(sum));
  return result;
}

inline unsigned add_zero_times(BFloat16, unsigned pair, unsigned sum) {
  unsigned result;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(pair), "r"(0), "r"(sum));
  return result;
}

}  // namespace flashcore::device
