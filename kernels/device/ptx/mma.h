// The matrix instruction of Ampere and later: D = A B + C for a 16 x 16 tile A, a 16 x 8 tile B and
// fp32 sums, spread over a warp's registers.
//
// PTX ISA 9.7.14, "mma.m16n8k16 with .f16 / .bf16". Which element sits in which register is in
// device/tile/fragment.h.
#pragma once

#include "device/ptx/element.h"

namespace flashcore::device {

/// sums = A * B. The whole warp takes part.
inline void multiply(Float16, float (&sums)[4], const unsigned (&a)[4], unsigned b_low,
                     unsigned b_high) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %10, %10, %10};"
      : "=f"(sums[0]), "=f"(sums[1]), "=f"(sums[2]), "=f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b_low), "r"(b_high), "f"(0.0F));
}

inline void multiply(BFloat16, float (&sums)[4], const unsigned (&a)[4], unsigned b_low,
                     unsigned b_high) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%10, %10, %10, %10};"
      : "=f"(sums[0]), "=f"(sums[1]), "=f"(sums[2]), "=f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b_low), "r"(b_high), "f"(0.0F));
}

/// sums += A * B. The whole warp takes part.
inline void multiply_accumulate(Float16, float (&sums)[4], const unsigned (&a)[4], unsigned b_low,
                                unsigned b_high) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b_low), "r"(b_high));
}

inline void multiply_accumulate(BFloat16, float (&sums)[4], const unsigned (&a)[4], unsigned b_low,
                                unsigned b_high) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b_low), "r"(b_high));
}

}  // namespace flashcore::device
