// From a consumer's registers to the output.
#pragma once

#include "device/attention/careful_row.h"
#include "device/ptx/vector.h"
#include "device/tile/quad.h"
#include "forward_tma_wgmma/softmax.cuh"
#include "forward_tma_wgmma/task.h"

namespace flashcore::forward_tma_wgmma {

/// Stores row `half` of the lane's two, which is row `row` of seq_q; whether the lane's part of it
/// was finite. Neighbouring lanes deal 16 columns at a time so that each stores 4 of them at once.
template <Config C>
bool store_row(const Params& params, const TaskPlace& place, int row, int half, int lane,
               const Output<C>& r_out, const device::LazySoftmax& softmax) {
  using T = device::Storage<C.element>;
  const bool exists = row < seq_q(params);
  const bool sees_keys = !keys_between(params, row, row).empty();
  // A row that sees no key is 0. One whose every score was -inf is 0 / 0, as the softmax says.
  const float inverse_sum = sees_keys ? device::reciprocal_approx(softmax.row_sum) : 0.0F;
  const int first_column = lane % 2 * 8 + lane % 4 / 2 * 4;
  const int columns = exists ? params.head_dim - first_column : 0;
  T* const g_row = static_cast<T*>(params.g_o) +
                   params.o_strides.offset(place.batch, place.head, row) + first_column;
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
  if (lane % 4 == 0 && exists && params.g_lse != nullptr)
    params.g_lse[params.lse_strides.offset(place.batch, place.head, row)] =
        sees_keys ? softmax.log_sum_exp() : -device::infinity;
  return (not_finite & 0x7FFF7FFFU) == 0;
}

/// Writes again those of 8 rows that the warp has stored with elements that are not finite, over
/// their visible keys alone.
template <Config C>
void rewrite_rows(const Params& params, const TaskPlace& place, int first_row, int lane) {
  using T = device::Storage<C.element>;
  device::warp_barrier();  // lanes read what others stored
#pragma unroll 1
  for (int row = first_row; row < first_row + 8 && row < seq_q(params); ++row) {
    T* const g_row =
        static_cast<T*>(params.g_o) + params.o_strides.offset(place.batch, place.head, row);
    float zero = 0.0F;
#pragma unroll 1
    for (int column = lane; column < params.head_dim; column += 32)
      zero += device::to_float(g_row[column]) * 0.0F;
    if (device::warp_any(zero != 0.0F))
      device::rewrite_row_carefully(
          device::careful_row_of<T>(params, place.batch, place.head, place.kv_head, row,
                                    {0, device::seq_kv(params)}),
          lane, g_row);
  }
}

}  // namespace flashcore::forward_tma_wgmma
