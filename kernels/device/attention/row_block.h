// The query rows that one block of threads owns: some neighbouring rows of one head.
#pragma once

#include "device/attention/careful_row.h"
#include "device/attention/forward_params.h"

namespace flashcore::device {

template <typename T>
struct RowBlock {
  const T* g_q;  // the block's first row
  const T* g_k;  // row 0 of the head's keys
  const T* g_v;
  T* g_o;               // the block's first row
  float* g_lse;         // its first row's, or null
  long long first_row;  // in seq_q
  int rows;             // that exist: block_q, or fewer at the end of seq_q
  KeyRange keys;        // what the rows see between them
};

/// The rows of block `block`; consecutive blocks share a head, so that its keys stay in the cache.
template <typename T>
inline RowBlock<T> row_block(const ForwardParams& params, long long block, int block_q) {
  const auto [batch_head, q_block] = params.q_blocks.divide(static_cast<unsigned>(block));
  const auto [batch, head] = params.heads_q.divide(batch_head);
  const unsigned kv_head = params.group_size.divide(head).quotient;
  const long long first_row = static_cast<long long>(q_block) * block_q;
  const long long left = params.seq_q - first_row;
  const int rows = left < block_q ? static_cast<int>(left) : block_q;
  float* g_lse = params.g_lse;
  if (g_lse != nullptr) g_lse += params.lse_strides.offset(batch, head, first_row);
  return {
      .g_q = static_cast<const T*>(params.g_q) + params.q_strides.offset(batch, head, first_row),
      .g_k = static_cast<const T*>(params.g_k) + params.k_strides.offset(batch, kv_head, 0),
      .g_v = static_cast<const T*>(params.g_v) + params.v_strides.offset(batch, kv_head, 0),
      .g_o = static_cast<T*>(params.g_o) + params.o_strides.offset(batch, head, first_row),
      .g_lse = g_lse,
      .first_row = first_row,
      .rows = rows,
      .keys = visible_keys(params.band, first_row, first_row + rows - 1, params.seq_kv)};
}

/// The keys that one of its rows sees; none for a row past the end of seq_q.
template <typename T>
inline KeyRange keys_of_row(const ForwardParams& params, const RowBlock<T>& block, int row) {
  if (row >= block.rows) return {0, 0};
  return visible_keys(params.band, block.first_row + row, params.seq_kv);
}

template <typename T>
inline CarefulRow<T> careful(const ForwardParams& params, const RowBlock<T>& block, int row) {
  return {.g_q = block.g_q + row * params.q_strides.seq,
          .g_k = block.g_k,
          .g_v = block.g_v,
          .k_stride = params.k_strides.seq,
          .v_stride = params.v_strides.seq,
          .keys = keys_of_row(params, block, row),
          .head_dim = params.head_dim,
          .scale_log2e = params.scale_log2e};
}

}  // namespace flashcore::device
