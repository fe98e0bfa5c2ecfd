// The matrix instruction of Ampere and later: D = A B + C for a 16 x 16 tile A, a 16 x 8 tile B and
// fp32 sums, spread over a warp's registers.
//
// PTX ISA 9.7.14, "mma.m16n8k16 with .f16 / .bf16". Which element sits in which register is in
// device/tile/fragment.h.
#pragma once

#include "device/ptx/element.h"

namespace flashcore::device {

/// d = A * B + c, where c may be d. The whole warp takes part.
inline void multiply_add(Float16, const float (&c)[4], const unsigned (&a)[4], unsigned b_low,
                         unsigned b_high, float (&d)[4]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b_low), "r"(b_high), "f"(c[0]), "f"(c[1]),
        "f"(c[2]), "f"(c[3]));
}

inline void multiply_add(BFloat16, const float (&c)[4], const unsigned (&a)[4], unsigned b_low,
                         unsigned b_high, float (&d)[4]) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %11, %12, %13};"
      : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b_low), "r"(b_high), "f"(c[0]), "f"(c[1]),
        "f"(c[2]), "f"(c[3]));
}

/// sums = A * B.
template <typename T>
inline void multiply(T type, float (&sums)[4], const unsigned (&a)[4], unsigned b_low,
                     unsigned b_high) {
  constexpr float zero[4] = {};
  multiply_add(type, zero, a, b_low, b_high, sums);
}

/// sums += A * B.
template <typename T>
inline void multiply_accumulate(T type, float (&sums)[4], const unsigned (&a)[4], unsigned b_low,
                                unsigned b_high) {
  multiply_add(type, sums, a, b_low, b_high, sums);
}

}  // namespace flashcore::device
