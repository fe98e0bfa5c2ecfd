// From a consumer's registers to the output.
#pragma once

#include "device/attention/careful_row.h"
#include "device/ptx/vector.h"
#include "device/tile/quad.h"
#include "forward_tma_wgmma/softmax.cuh"
#include "forward_tma_wgmma/task.h"

namespace flashcore::forward_tma_wgmma {

/// Whether the lane's part of row `half` is finite: 0 times it is 0.
template <Config C>
bool is_finite(const Output<C>& r_out, int half) {
  float zero = 0.0F;
#pragma unroll
  for (int i = 0; i < C.head_dim / 2; ++i)
    if (half_of(i) == half) zero += r_out[i] * 0.0F;
  return zero == 0.0F;
}

/// Stores row `half` of the lane's two, which is row `row` of seq_q. The four lanes of a row deal
/// 32 columns at a time so that each stores 8 of them at once.
template <Config C>
void store_row(const Params& params, const TaskPlace& place, int row, int half, int lane,
               const Output<C>& r_out, const device::LazySoftmax& softmax) {
  using T = device::Storage<C.element>;
  const bool exists = row < seq_q(params);
  const bool sees_keys = !keys_between(params, row, row).empty();
  // A row that sees no key is 0. One whose every score was -inf is 0 / 0, as the softmax says.
  const float inverse_sum = sees_keys ? device::reciprocal_approx(softmax.row_sum) : 0.0F;
  T* const g_row =
      static_cast<T*>(params.g_o) + params.o_strides.offset(place.batch, place.head, row);
#pragma unroll
  for (int group = 0; group < C.head_dim / 32; ++group) {
    unsigned words[4];
#pragma unroll
    for (int chunk = 0; chunk < 4; ++chunk) {
      const int i = (group * 4 + chunk) * 4 + half * 2;
      words[chunk] = device::pack(T{}, r_out[i] * inverse_sum, r_out[i + 1] * inverse_sum);
    }
    device::transpose_quad(words, lane);
    const int column = group * 32 + lane % 4 * 8;
    if (exists && column < params.head_dim)
      device::store_vector<unsigned, 4>({words[0], words[1], words[2], words[3]},
                                        reinterpret_cast<unsigned*>(g_row + column));
  }
  if (lane % 4 == 0 && exists && params.g_lse != nullptr)
    params.g_lse[params.lse_strides.offset(place.batch, place.head, row)] =
        sees_keys ? softmax.log_sum_exp() : -device::infinity;
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
