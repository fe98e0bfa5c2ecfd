// From a consumer's registers to the output: through its rows of Q's place, as one copy; row by row
// where an element is not finite.
#pragma once

#include "device/attention/careful_row.h"
#include "device/ptx/tensor_copy.h"
#include "device/ptx/vector.h"
#include "forward_tma_wgmma/consumer.cuh"

namespace flashcore::forward_tma_wgmma {

using LineSwizzle = device::Swizzle<8>;

/// Whether the lane's part of row `half` is finite: 0 times it is 0.
template <Config C>
bool is_finite(const Output<C>& r_out, int half) {
  float zero = 0.0F;
#pragma unroll
  for (int i = 0; i < C.head_dim / 2; ++i)
    if (half_of(i) == half) zero += r_out[i] * 0.0F;
  return zero == 0.0F;
}

template <Config C>
struct Epilogue {
  using S = Shared<C>;
  using T = device::Storage<C.element>;
  Consumer<C>& consumer;
  const Params& params;
  const BlockTask& task;

  /// The warpgroup's rows of tile `column` of 64 columns.
  unsigned char* s_rows(int column) const {
    return S::q() + column * S::q_column_bytes + consumer.group * warpgroup_rows * line_bytes;
  }
  T* g_row(int row) const {
    return static_cast<T*>(params.g_o) + params.o_strides.offset(task.batch, task.head, row);
  }

  void store() {
    consumer.meet();  // nobody multiplies with the rows of Q that O overwrites
    unsigned not_finite[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      not_finite[half] = device::warp_ballot(!is_finite<C>(consumer.r_out, half));
      finish_row(half);
    }
    if (device::warp_any((not_finite[0] | not_finite[1]) != 0) || !copyable())
      store_by_rows(not_finite);
    else
      store_as_copy();
  }

 private:
  /// The warp's 16 rows all exist: a copy of them is theirs alone.
  bool copyable() const {
    return warp_row(0) + 16 <= seq_q(params);
  }
  int warp_row(int row) const {
    return consumer.first_row + device::warp_index() % 4 * 16 + row;
  }

  void finish_row(int half) {
    device::LazySoftmax& softmax = consumer.rows[half];
    softmax.row_sum = device::row_total(softmax.row_sum);
    const int row = consumer.row + half * 8;
    const bool sees_keys = !keys_between(params, row, row).empty();
    // A row that sees no key is 0. One whose every score was -inf is 0 / 0, as the softmax says.
    const float inverse_sum = sees_keys ? device::reciprocal_approx(softmax.row_sum) : 0.0F;
    const int line = device::warp_index() % 4 * 16 + half * 8 + consumer.lane / 4;
#pragma unroll
    for (int chunk = 0; chunk < C.head_dim / 8; ++chunk)
      *reinterpret_cast<unsigned*>(s_rows(chunk / 8) + LineSwizzle::offset(line, chunk % 8) +
                                   consumer.lane % 4 * 4) =
          device::pack(T{}, consumer.r_out[chunk * 4 + half * 2] * inverse_sum,
                       consumer.r_out[chunk * 4 + half * 2 + 1] * inverse_sum);
    if (consumer.lane % 4 == 0 && row < seq_q(params) && params.g_lse != nullptr)
      params.g_lse[params.lse_strides.offset(task.batch, task.head, row)] =
          sees_keys ? softmax.log_sum_exp() : -device::infinity;
  }

  /// One copy for each warp and tile of columns.
  void store_as_copy() {
    device::fence_async_proxy();
    device::warp_barrier();  // the warp's lines are complete
    if (consumer.lane != 0) return;
#pragma unroll
    for (int column = 0; column < column_tiles(C); ++column)
      device::store_tensor(params.o_map,
                           s_rows(column) + device::warp_index() % 4 * 16 * line_bytes, column * 64,
                           warp_row(0), task.head, task.batch);
    device::store_commit();
    device::store_wait_read<0>();  // the block's memory outlives the copy
  }

  void store_by_rows(const unsigned (&not_finite)[2]) {
    device::warp_barrier();  // the warp's lines are complete
#pragma unroll 1
    for (int i = 0; i < 16; ++i) {
      const int row = warp_row(i);
      if (row >= seq_q(params)) break;
      if (((i < 8 ? not_finite[0] : not_finite[1]) >> i % 8 * 4 & 0xFU) != 0) {
        rewrite(row);
        continue;
      }
      const int line = device::warp_index() % 4 * 16 + i;
      const int chunk = consumer.lane;
      if (chunk * 8 < params.head_dim)
        device::store_vector(device::load_vector<unsigned, 4>(reinterpret_cast<const unsigned*>(
                                 s_rows(chunk / 8) + LineSwizzle::offset(line, chunk % 8))),
                             reinterpret_cast<unsigned*>(g_row(row) + chunk * 8));
    }
  }

  void rewrite(int row) {
    device::rewrite_row_carefully(
        device::careful_row_of<T>(params, task.batch, task.head, task.kv_head, row,
                                  {0, device::seq_kv(params)}),
        consumer.lane, g_row(row));
  }
};

}  // namespace flashcore::forward_tma_wgmma
