// Joins what the blocks of kv_splits found, in the order of the keys: the same bits every time.
#pragma once

#include "device/ptx/thread.h"
#include "forward_mma/epilogue.cuh"
#include "forward_mma/merge_splits.h"

namespace flashcore::forward_mma {

/// A thread has 8 columns of one row of [batch, heads_q, seq_q].
template <Config C>
__global__ void __launch_bounds__(merge_threads)
    merge_splits(const __grid_constant__ Params params) {
  const long long item = device::block_index() * merge_threads + device::thread_index();
  const long long index = item / chunks(C);
  const int chunk = static_cast<int>(item % chunks(C));
  if (index >= params.rows || chunk * 8 >= params.head_dim) return;
  const int splits = static_cast<int>(params.kv_splits.value);

  device::OnlineSoftmax merged;
  for (int split = 0; split < splits; ++split)
    merged.row_max =
        device::maximum(merged.row_max, params.g_partial_rows[split * params.rows + index].max);
  float r_sums[8] = {};
  for (int split = 0; split < splits; ++split) {
    const long long part = split * params.rows + index;
    const PartialRow row = params.g_partial_rows[part];
    const float weight = merged.weight(row.max);
    merged.row_sum += row.sum * weight;
    add_part(params.g_partial_out + part * params.head_dim + chunk * 8, weight, r_sums);
  }
  const auto by_row = params.rows_of_head.divide(static_cast<unsigned>(index));
  const auto by_head = params.heads_q.divide(by_row.quotient);
  store_final<device::Storage<C.element>>(
      params, static_cast<int>(by_head.quotient), static_cast<int>(by_head.remainder),
      static_cast<int>(by_row.remainder), chunk, merged, r_sums);
}

}  // namespace flashcore::forward_mma
