// From a consumer's registers to the output.
#pragma once

#include "device/attention/careful_row.h"
#include "device/ptx/vector.h"
#include "device/tile/quad.h"
#include "forward_tma_wgmma/softmax.cuh"
#include "forward_tma_wgmma/task.h"

namespace flashcore::forward_tma_wgmma {

/// Stores row `half` of the lane's two; whether the lane's part of it was finite. Neighbouring
/// lanes deal 16 columns at a time so that each stores 4 of them at once.
template <Config C>
bool store_row(const Params& params, int batch, const QueryRow& row, int half, int lane,
               const Output<C>& r_out, const device::LazySoftmax& softmax) {
  using T = device::Storage<C.element>;
  const bool sees_keys = !keys_between(params, row.position, row.position).empty();
  // A row that sees no key is 0. One whose every score was -inf is 0 / 0, as the softmax says.
  const float inverse_sum = sees_keys ? device::reciprocal_approx(softmax.row_sum) : 0.0F;
  const int first_column = lane % 2 * 8 + lane % 4 / 2 * 4;
  const int columns = row.exists ? params.head_dim - first_column : 0;
  T* const g_row = static_cast<T*>(params.g_o) +
                   params.o_strides.offset(batch, row.head, row.position) + first_column;
  unsigned not_finite = 0;
#pragma unroll
  for (int group = 0; group < C.head_dim / 16; ++group) {
    unsigned words[2];
#pragma unroll
    for (int chunk = 0; chunk < 2; ++chunk) {
      const int i = (group * 2 + chunk) * 4 + half * 2;
      words[chunk] = device::pack(T{}, r_out[i] * inverse_sum, r_out[i + 1] * inverse_sum);
      not_finite = device::add_zero_times(T{}, words[chunk], not_finite);
    }
    device::transpose_pair(words, lane);
    if (group * 16 < columns)
      device::store_vector<unsigned, 2>({words[0], words[1]},
                                        reinterpret_cast<unsigned*>(g_row + group * 16));
  }
  if (lane % 4 == 0 && row.exists && params.g_lse != nullptr)
    params.g_lse[params.lse_strides.offset(batch, row.head, row.position)] =
        sees_keys ? softmax.log_sum_exp() : -device::infinity;
  return (not_finite & 0x7FFF7FFFU) == 0;
}

/// Writes again those of 8 rows of a task's tile that the warp has stored with elements that are
/// not finite, over their visible keys alone.
template <Config C>
void rewrite_rows(const Params& params, const Task& task, int first_row, int lane) {
  using T = device::Storage<C.element>;
  const TaskPlace place = place_of<C>(params, task.index);
  device::warp_barrier();  // lanes read what others stored
#pragma unroll 1
  for (int i = 0; i < 8; ++i) {
    const QueryRow row = query_row<C>(params, place, task.first_position, first_row + i);
    if (!row.exists) continue;
    T* const g_row =
        static_cast<T*>(params.g_o) + params.o_strides.offset(place.batch, row.head, row.position);
    float zero = 0.0F;
#pragma unroll 1
    for (int column = lane; column < params.head_dim; column += 32)
      zero += device::to_float(g_row[column]) * 0.0F;
    if (device::warp_any(zero != 0.0F))
      device::rewrite_row_carefully(
          device::careful_row_of<T>(params, place.batch, row.head, place.kv_head, row.position,
                                    {0, device::seq_kv(params)}),
          lane, g_row);
  }
}

}  // namespace flashcore::forward_tma_wgmma
