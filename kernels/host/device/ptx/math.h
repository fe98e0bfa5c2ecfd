// The special-function unit's functions. The hardware's are approximations; these are the C
// library's, which are within one unit of the exact ones, and differ from the hardware's by no more
// than it promises. Subnormal arguments and results become 0 (.ftz).
#pragma once

#include <cmath>

#include "host/current.h"

namespace flashcore::device {

inline float flush_subnormal(float value) {
  return std::fabs(value) < 0x1p-126F ? std::copysign(0.0F, value) : value;
}

inline float exp2_approx(float value) {
  host::call<&host::Machine::count>(host::Instruction::ex2);
  return flush_subnormal(std::exp2(flush_subnormal(value)));
}

inline float log2_approx(float value) {
  host::call<&host::Machine::count>(host::Instruction::lg2);
  return std::log2(flush_subnormal(value));
}

inline float reciprocal_approx(float value) {
  host::call<&host::Machine::count>(host::Instruction::reciprocal);
  return flush_subnormal(1.0F / flush_subnormal(value));
}

/// The larger of the two; the other one where one is NaN.
inline float maximum(float a, float b) {
  return std::fmax(a, b);
}

/// Neither infinite nor NaN.
inline bool is_finite(float value) {
  return value - value == 0.0F;
}

}  // namespace flashcore::device
