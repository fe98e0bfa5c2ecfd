// The special-function unit's exponential and logarithm, base 2.
//
// PTX ISA 9.7.3, ex2.approx.ftz.f32: relative error at most 2^-22, ex2(-inf) = +0, NaN stays NaN.
// lg2.approx.ftz.f32: absolute error at most 2^-22 for arguments in [0.5, 2], relative outside.
#pragma once

namespace flashcore::device {

inline float exp2_approx(float value) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
}

inline float log2_approx(float value) {
  float result;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
}

/// PTX ISA 9.7.3, rcp.approx.ftz.f32: at most 1 unit in the last place off; 1 / 0 = inf.
inline float reciprocal_approx(float value) {
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
}

/// The larger of the two; the other one where one is NaN (PTX ISA 9.7.3, max.f32).
inline float maximum(float a, float b) {
  return fmaxf(a, b);
}

/// Neither infinite nor NaN.
inline bool is_finite(float value) {
  return value - value == 0.0F;
}

}  // namespace flashcore::device
