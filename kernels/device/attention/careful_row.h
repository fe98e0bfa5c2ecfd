// One query row computed key by key over its visible keys alone: slow, and right whatever the
// inputs.
//
// A matrix product over a tile multiplies the values of masked keys by a probability of 0, and
// 0 * NaN is NaN: an infinity or a NaN that the mask hides would reach the row. It is cheaper to
// notice than to prevent: what it touches is not finite at the end, and stays so through every
// rescaling. Kernels therefore run at full speed and hand the rows whose output is not finite to
// this function, whose result then stands (a NaN that the row does see is still a NaN).
#pragma once

#include "device/attention/band.h"
#include "device/attention/narrow_call.h"
#include "device/attention/online_softmax.h"
#include "device/ptx/element.h"
#include "device/ptx/shuffle.h"
#include "device/ptx/vote.h"

namespace flashcore::device {

/// A query row, and the keys and values of its head.
template <typename T>
struct CarefulRow {
  const T* g_q;        // [head_dim]
  const T* g_k;        // [seq_kv, head_dim]
  const T* g_v;        // [seq_kv, head_dim]
  long long k_stride;  // elements from one key to the next
  long long v_stride;
  KeyRange keys;  // those the row sees
  int head_dim;   // at most 256
  float scale_log2e;
};

/// A row of a call, over those of `keys` that it sees.
template <typename T>
inline CarefulRow<T> careful_row_of(const NarrowParams& params, int batch, int head, int kv_head,
                                    int row, Keys keys) {
  const Keys visible = intersection(keys_of_row(params, row), keys);
  return {.g_q = static_cast<const T*>(params.g_q) + params.q_strides.offset(batch, head, row),
          .g_k = static_cast<const T*>(params.g_k) + params.k_strides.offset(batch, kv_head, 0),
          .g_v = static_cast<const T*>(params.g_v) + params.v_strides.offset(batch, kv_head, 0),
          .k_stride = params.k_strides.seq,
          .v_stride = params.v_strides.seq,
          .keys = {visible.begin, visible.empty() ? visible.begin : visible.end},
          .head_dim = params.head_dim,
          .scale_log2e = params.flip_q_sign != 0 ? -params.scale_log2e : params.scale_log2e};
}

/// A lane holds the elements lane, lane + 32, … of head_dim.
inline constexpr int careful_elements = 8;
constexpr int careful_column(int element, int lane) {
  return element * 32 + lane;
}

template <typename T>
inline void load_careful(const T* g_row, int head_dim, int lane, float (&r_row)[careful_elements]) {
#pragma unroll
  for (int e = 0; e < careful_elements; ++e) {
    const int column = careful_column(e, lane);
    r_row[e] = column < head_dim ? to_float(g_row[column]) : 0.0F;
  }
}

/// The row's normalised output in r_out, and its natural log-sum-exp; 0 and -inf where it sees no
/// key, NaN where every score it sees is -inf. The whole warp takes part, with the same row; all
/// lanes return the same bits.
template <typename T>
inline float careful_row(const CarefulRow<T>& row, int lane, float (&r_out)[careful_elements]) {
  float r_q[careful_elements];
  load_careful(row.g_q, row.head_dim, lane, r_q);
#pragma unroll
  for (int e = 0; e < careful_elements; ++e) r_out[e] = 0.0F;
  if (row.keys.empty()) return -infinity;

  OnlineSoftmax softmax;
#pragma unroll 1
  for (long long key = row.keys.begin; key < row.keys.end; ++key) {
    float r_row[careful_elements];
    load_careful(row.g_k + key * row.k_stride, row.head_dim, lane, r_row);
    float score = 0.0F;
#pragma unroll
    for (int e = 0; e < careful_elements; ++e) score += r_q[e] * r_row[e];
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2) score += shuffle_xor(score, distance);
    score *= row.scale_log2e;

    const float factor = softmax.advance(score);
    const float prob = softmax.weight(score);
    softmax.row_sum += prob;
    load_careful(row.g_v + key * row.v_stride, row.head_dim, lane, r_row);
#pragma unroll
    for (int e = 0; e < careful_elements; ++e) r_out[e] = r_out[e] * factor + prob * r_row[e];
  }
#pragma unroll
  for (int e = 0; e < careful_elements; ++e) r_out[e] *= reciprocal_approx(softmax.row_sum);
  return softmax.log_sum_exp();
}

/// Overwrites the row's output in global memory, which this same warp may have written before, with
/// what careful_row computes.
template <typename T>
inline void rewrite_row_carefully(const CarefulRow<T>& row, int lane, T* g_o) {
  float r_out[careful_elements];
  careful_row(row, lane, r_out);
  warp_barrier();  // the lanes that wrote it before are not the ones that do now
#pragma unroll
  for (int e = 0; e < careful_elements; ++e) {
    const int column = careful_column(e, lane);
    if (column < row.head_dim) from_float(r_out[e], g_o[column]);
  }
}

}  // namespace flashcore::device
