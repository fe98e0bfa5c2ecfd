// A warpgroup's softmax, on the sums of its products. A lane holds of two rows, lane / 4 and
// lane / 4 + 8 of its warp's 16, every element whose column is 2 * (lane % 4) or one more,
// modulo 8.
#pragma once

#include "device/attention/online_softmax.h"
#include "device/attention/row_reduction.h"
#include "device/ptx/element.h"
#include "device/ptx/vote.h"
#include "device/tile/fragment.h"
#include "forward_tma_wgmma/config.h"

namespace flashcore::forward_tma_wgmma {

template <Config C>
using Scores = float[C.block_kv / 2];
/// 16 keys make one A fragment.
template <Config C>
using Weights = unsigned[key_steps(C)][4];
template <Config C>
using Output = float[C.head_dim / 2];

/// Which of a lane's two rows element i of its sums belongs to.
constexpr int half_of(int i) {
  return i / 2 % 2;
}

/// Sets the scores of keys outside [begin, end), which row `half` does not see, to -inf. The keys
/// are counted from the first whose score this lane holds.
template <Config C>
void hide_keys(Scores<C>& r_scores, int half, int begin, int end) {
#pragma unroll
  for (int i = 0; i < C.block_kv / 2; ++i) {
    const int key = i / 4 * 8 + i % 2;
    if (half_of(i) == half && (key < begin || key >= end)) r_scores[i] = -device::infinity;
  }
}

/// Turns the scores into weights, relative to references that it moves where the tile asks for it.
/// `factors` is what the output so far is to be multiplied with: 1 mostly.
template <Config C>
void weigh(Scores<C>& r_scores, float scale_log2e, device::LazySoftmax (&rows)[2],
           float (&factors)[2]) {
  float offsets[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float largest = -device::infinity;
#pragma unroll
    for (int i = 0; i < C.block_kv / 2; ++i)
      if (half_of(i) == half) largest = device::maximum(largest, r_scores[i]);
    factors[half] = rows[half].advance(device::row_maximum(largest) * scale_log2e);
    offsets[half] = rows[half].offset();
  }
#pragma unroll
  for (int i = 0; i < C.block_kv / 2; ++i) {
    r_scores[i] = device::exp2_approx(r_scores[i] * scale_log2e - offsets[half_of(i)]);
    rows[half_of(i)].row_sum += r_scores[i];
  }
}

template <Config C>
void round_weights(const Scores<C>& r_scores, Weights<C>& r_weights) {
  using T = device::Storage<C.element>;
#pragma unroll
  for (int step = 0; step < key_steps(C); ++step)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      r_weights[step][i] =
          device::pack(T{}, r_scores[step * 8 + i * 2], r_scores[step * 8 + i * 2 + 1]);
}

template <Config C>
void rescale(const float (&factors)[2], Output<C>& r_out) {
  if (!device::warp_any(factors[0] != 1.0F || factors[1] != 1.0F)) return;
#pragma unroll
  for (int i = 0; i < C.head_dim / 2; ++i) r_out[i] *= factors[half_of(i)];
}

}  // namespace flashcore::forward_tma_wgmma
