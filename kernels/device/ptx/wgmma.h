// Hopper's matrix products: a warpgroup multiplies 64 rows, with fp32 sums, while it goes on.
//
// PTX ISA 9.7.15, "Asynchronous Warpgroup Level Matrix Multiply-Accumulate Instructions", m64nNk16.
// Warp w of the warpgroup has rows 16 w to 16 w + 15, in the registers of mma.m16n8k16
// (device/tile/fragment.h): A's four as a_place, and sums[4 * j + i] as sum_place(lane, i) of
// columns 8 * j to 8 * j + 7.
//
// Order: fence; products; commit; wait. Between the first product and the wait nobody touches the
// sums or A's registers, nor writes what descriptors name. All warps of the warpgroup take part.
#pragma once

#include "device/element.h"
#include "device/ptx/matrix_descriptor.h"
#include "device/ptx/wgmma_instructions.h"

namespace flashcore::device {

/// Before the first product, and whenever other instructions have written sums or A's registers.
inline void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

/// The products since the last commit become a group.
inline void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

/// Returns when at most `Pending` groups are under way; hold() what is then used.
template <int Pending>
inline void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
}

/// Keeps the compiler from moving what computes with these registers across the call: it does not
/// know that products write them until the wait.
template <int Count>
inline void hold(float (&r_sums)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; ++i) asm volatile("" : "+f"(r_sums[i])::"memory");
}

template <int Count>
inline void hold(unsigned (&r_words)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; ++i) asm volatile("" : "+r"(r_words[i])::"memory");
}

/// Moves words to where products take A from, when they are done with what was there. Without the
/// instruction's own name the compiler computes the words in that place, while products still read
/// it, and then makes every product wait for the one before.
template <int Steps>
inline void refill(unsigned (&r_a)[Steps][4], const unsigned (&r_words)[Steps][4]) {
#pragma unroll
  for (int i = 0; i < Steps * 4; ++i)
    asm volatile("mov.b32 %0, %1;" : "=r"(r_a[i / 4][i % 4]) : "r"(r_words[i / 4][i % 4]));
}

inline constexpr char wgmma_float16[] = "f16";
inline constexpr char wgmma_bfloat16[] = "bf16";

/// sums = A B, or sums + A B where `accumulate`: A is 64 x 16 with K fastest, B is 16 x N, both in
/// shared memory. TransposedB: N is fastest in B (n_major), otherwise K (k_major).
template <int N, bool TransposedB = false>
inline void multiply_shared(Float16, float (&sums)[N / 2], MatrixDescriptor a, MatrixDescriptor b,
                            bool accumulate) {
  WgmmaInstruction<N>::template shared<TransposedB, wgmma_float16>(sums, a.bits, b.bits,
                                                                   accumulate);
}
template <int N, bool TransposedB = false>
inline void multiply_shared(BFloat16, float (&sums)[N / 2], MatrixDescriptor a, MatrixDescriptor b,
                            bool accumulate) {
  WgmmaInstruction<N>::template shared<TransposedB, wgmma_bfloat16>(sums, a.bits, b.bits,
                                                                    accumulate);
}

/// The same with A from registers, as mma.m16n8k16 takes it.
template <int N, bool TransposedB = false>
inline void multiply_registers(Float16, float (&sums)[N / 2], const unsigned (&a)[4],
                               MatrixDescriptor b, bool accumulate) {
  WgmmaInstruction<N>::template registers<TransposedB, wgmma_float16>(sums, a, b.bits, accumulate);
}
template <int N, bool TransposedB = false>
inline void multiply_registers(BFloat16, float (&sums)[N / 2], const unsigned (&a)[4],
                               MatrixDescriptor b, bool accumulate) {
  WgmmaInstruction<N>::template registers<TransposedB, wgmma_bfloat16>(sums, a, b.bits, accumulate);
}

}  // namespace flashcore::device
