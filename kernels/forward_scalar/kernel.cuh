// Attention with ordinary arithmetic: no tensor cores, no asynchronous copies. The baseline that
// the later families are measured against, and the one to read first.
//
// A block owns block_q query rows of one head; threads_per_row lanes share a row, each holding a
// slice of its q and of its output in registers. Dataflow, for each tile of block_kv keys:
//   global K, V -> shared (fp32) -> scores in registers -> online softmax -> output in registers,
// the last three for keys_per_step keys at a time.
// Every thread of the block computes every score of the tile; what its row may not see is set to
// -inf, and is never multiplied with V, so that a NaN there stays where it belongs.
#pragma once

#include "device/attention/online_softmax.h"
#include "device/attention/row_block.h"
#include "device/ptx/element.h"
#include "device/ptx/shuffle.h"
#include "device/ptx/thread.h"
#include "forward_scalar/config.h"
#include "forward_scalar/layout.h"
#include "forward_scalar/params.h"

namespace flashcore::forward_scalar {

/// Copies rows [first_row, first_row + block_kv) to s_tile[block_kv][C.head_dim], widened; rows
/// past row_count and columns past head_dim become 0.
template <Config C, typename T>
void load_tile(const T* g_rows, long long row_stride, long long first_row, long long row_count,
               int head_dim, float* s_tile) {
#pragma unroll 4
  for (int i = device::thread_index(); i < C.block_kv * C.head_dim; i += threads(C)) {
    const long long row = first_row + i / C.head_dim;
    const int column = i % C.head_dim;
    const bool inside = row < row_count && column < head_dim;
    // Always a load, of the first element where there is none: behind a branch the next would wait.
    const float value = device::to_float(g_rows[inside ? row * row_stride + column : 0]);
    s_tile[i] = inside ? value : 0.0F;
  }
}

/// Sums over the lanes that share a row. Every one of them gets the same bits.
template <Config C>
float row_reduce_sum(float value) {
  for (int distance = 1; distance < C.threads_per_row; distance *= 2)
    value += device::shuffle_xor(value, distance);
  return value;
}

/// The scores, in base 2, of this thread's row with keys_per_step keys from first_key on, whose
/// rows begin at s_k; -inf outside row_keys.
template <Config C>
void score_keys(const float (&r_q)[slice(C)], const float* s_k, int row_lane, long long first_key,
                device::KeyRange row_keys, float scale_log2e, float (&r_scores)[C.keys_per_step]) {
#pragma unroll
  for (int key = 0; key < C.keys_per_step; ++key) {
    float dot = 0.0F;
#pragma unroll
    for (int e = 0; e < slice(C); ++e)
      dot += r_q[e] * s_k[key * C.head_dim + slice_element(C, row_lane, e)];
    dot = row_reduce_sum<C>(dot);
    const bool visible = row_keys.contains(first_key + key);
    r_scores[key] = visible ? dot * scale_log2e : -device::infinity;
  }
}

/// Takes those scores into the softmax, and the values of their keys into the output.
template <Config C>
void accumulate_values(const float (&r_scores)[C.keys_per_step], const float* s_v, int row_lane,
                       long long first_key, device::KeyRange row_keys,
                       device::OnlineSoftmax& softmax, float (&r_out)[slice(C)]) {
  float largest = r_scores[0];
#pragma unroll
  for (int key = 1; key < C.keys_per_step; ++key)
    largest = largest > r_scores[key] ? largest : r_scores[key];

  const float factor = softmax.advance(largest);
#pragma unroll
  for (int e = 0; e < slice(C); ++e) r_out[e] *= factor;

#pragma unroll
  for (int key = 0; key < C.keys_per_step; ++key) {
    if (!row_keys.contains(first_key + key)) continue;
    const float prob = softmax.weight(r_scores[key]);
    softmax.row_sum += prob;
#pragma unroll
    for (int e = 0; e < slice(C); ++e)
      r_out[e] += prob * s_v[key * C.head_dim + slice_element(C, row_lane, e)];
  }
}

template <Config C>
__global__ void __launch_bounds__(threads(C), 1) forward(const __grid_constant__ Params params) {
  using T = device::Storage<C.element>;
  constexpr Layout shared = layout(C);
  float* s_k = reinterpret_cast<float*>(device::shared_memory() + shared.s_k);
  float* s_v = reinterpret_cast<float*>(device::shared_memory() + shared.s_v);

  const auto block = device::row_block<T>(params, device::block_index(), C.block_q);
  const int row_lane = device::thread_index() % C.threads_per_row;
  const int row = device::thread_index() / C.threads_per_row;  // of the block
  const bool row_exists = row < block.rows;
  const T* g_q = block.g_q + row * params.q_strides.seq;

  float r_q[slice(C)];
  float r_out[slice(C)];
#pragma unroll
  for (int e = 0; e < slice(C); ++e) {
    const int column = slice_element(C, row_lane, e);
    r_q[e] = row_exists && column < params.head_dim ? device::to_float(g_q[column]) : 0.0F;
    r_out[e] = 0.0F;
  }

  const auto row_keys = device::keys_of_row(params, block, row);
  device::OnlineSoftmax softmax;
  float r_scores[C.keys_per_step];
  for (long long tile = block.keys.begin; tile < block.keys.end; tile += C.block_kv) {
    load_tile<C>(block.g_k, params.k_strides.seq, tile, params.seq_kv, params.head_dim, s_k);
    load_tile<C>(block.g_v, params.v_strides.seq, tile, params.seq_kv, params.head_dim, s_v);
    device::block_barrier();  // the tile is complete
#pragma unroll 1
    for (int step = 0; step < C.block_kv; step += C.keys_per_step) {
      const int tile_offset = step * C.head_dim;
      score_keys<C>(r_q, s_k + tile_offset, row_lane, tile + step, row_keys, params.scale_log2e,
                    r_scores);
      accumulate_values<C>(r_scores, s_v + tile_offset, row_lane, tile + step, row_keys, softmax,
                           r_out);
    }
    device::block_barrier();  // everyone is done with it; the next one may overwrite it
  }

  if (!row_exists) return;
  // A row that sees no key is 0. One whose every score was -inf is 0 / 0, as the softmax says.
  const float inverse_sum = row_keys.empty() ? 0.0F : 1.0F / softmax.row_sum;
  T* g_o = block.g_o + row * params.o_strides.seq;
#pragma unroll
  for (int e = 0; e < slice(C); ++e) {
    const int column = slice_element(C, row_lane, e);
    if (column < params.head_dim) device::from_float(r_out[e] * inverse_sum, g_o[column]);
  }
  if (block.g_lse != nullptr && row_lane == 0)
    block.g_lse[row * params.lse_strides.seq] =
        row_keys.empty() ? -device::infinity : softmax.log_sum_exp();
}

}  // namespace flashcore::forward_scalar
