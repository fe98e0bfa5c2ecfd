// From the warps' registers to the output: directly where one warp has a row's whole sum, through
// shared memory where several have parts of it, through the workspace where several blocks do.
//
// Rows whose output is not finite are computed again, key by key (device/attention/careful_row.h).
#pragma once

#include "device/attention/careful_row.h"
#include "device/ptx/cp_async.h"
#include "device/ptx/element.h"
#include "device/ptx/thread.h"
#include "forward_mma/keys.h"
#include "forward_mma/layout.h"
#include "forward_mma/task.h"
#include "forward_mma/tile_math.cuh"

namespace flashcore::forward_mma {

using Floats4 = device::Vector<float, 4>;
using Floats2 = device::Vector<float, 2>;

/// One row of the block, over the keys that it sees within `keys`.
template <Config C>
auto careful_question(const Params& params, const BlockTask& task, int row, Keys keys) {
  return device::careful_row_of<device::Storage<C.element>>(params, task.batch, task.head,
                                                            task.kv_head, row, keys);
}

template <typename T>
T* output_row(const Params& params, int batch, int head, int row) {
  return static_cast<T*>(params.g_o) + params.o_strides.offset(batch, head, row);
}

/// Where it is wanted: the log-sum-exp of a row that sees keys, or -inf.
inline void store_lse(const Params& params, int batch, int head, int row, bool sees_keys,
                      float lse) {
  if (params.g_lse != nullptr)
    params.g_lse[params.lse_strides.offset(batch, head, row)] = sees_keys ? lse : -device::infinity;
}

/// Whether a lane's part of row `half` of a row tile is finite: 0 times it is 0.
template <Config C>
bool is_finite(const float (&r_out)[out_tiles(C)][4], int half) {
  float zero = 0.0F;
#pragma unroll
  for (int column = 0; column < out_tiles(C); ++column)
    zero += r_out[column][half * 2] * 0.0F + r_out[column][half * 2 + 1] * 0.0F;
  return zero == 0.0F;
}

/// Divides row `half` of a row tile by its sum and leaves it in s_rows, from column chunk
/// first_chunk on; who has the first columns writes the row's LSE.
template <Config C>
void finish_row(const Params& params, const BlockTask& task, int row, int tile_row, int half,
                int lane, int first_chunk, const device::LazySoftmax& softmax,
                const float (&r_out)[out_tiles(C)][4], unsigned char* s_rows) {
  const int lane_in_row = lane % device::lanes_per_row;
  const bool sees_keys = !keys_of_row(params, row).empty();
  // A row that sees no key is 0. One whose every score was -inf is 0 / 0, as the softmax says.
  const float inverse_sum = sees_keys ? device::reciprocal_approx(softmax.row_sum) : 0.0F;
#pragma unroll
  for (int column = 0; column < out_tiles(C); ++column)
    *reinterpret_cast<unsigned*>(s_rows + TileSwizzle<C>::offset(tile_row, first_chunk + column) +
                                 lane_in_row * 4) =
        device::pack(device::Storage<C.element>{}, r_out[column][half * 2] * inverse_sum,
                     r_out[column][half * 2 + 1] * inverse_sum);
  if (lane_in_row == 0 && first_chunk == 0 && row < seq_q(params))
    store_lse(params, task.batch, task.head, row, sees_keys, softmax.log_sum_exp());
}

/// Writes the rows, or its columns of them, of a warp that has seen all their keys, through its own
/// part of s_out, where fragments become chunks of 16 bytes. The sums are joined.
template <Config C>
void store_rows(const Params& params, const RowStates<C>& rows, const Output<C>& r_out) {
  using T = device::Storage<C.element>;
  const BlockTask task = block_task<C>(params);
  const WarpPlace place = warp_place<C>();
  const int warp_row = place.row_warp * C.rows_per_warp;
  const int first_row = task.first_row + warp_row;
  unsigned char* s_rows =
      device::shared_memory() + layout(C).s_out + warp_row * TileSwizzle<C>::row_bytes;

  const int first_chunk = C.share_weights ? place.kv_warp * out_tiles(C) : 0;
  unsigned not_finite[row_tiles(C)][2];  // bit l: lane l's part of its row is not
  bool rewrite = false;
#pragma unroll
  for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int tile_row = tile * 16 + half * 8 + place.lane / device::lanes_per_row;
      not_finite[tile][half] = device::warp_ballot(!is_finite<C>(r_out[tile], half));
      rewrite = rewrite || not_finite[tile][half] != 0;
      finish_row<C>(params, task, first_row + tile_row, tile_row, half, place.lane, first_chunk,
                    rows[tile][half], r_out[tile], s_rows);
    }
  device::warp_barrier();  // the warp's part is complete

#pragma unroll 1
  for (int i = place.lane; i < C.rows_per_warp * out_tiles(C); i += 32) {
    const int row = i / out_tiles(C);
    const int chunk = first_chunk + i % out_tiles(C);
    if (first_row + row < seq_q(params) && chunk * 8 < params.head_dim)
      store_chunk(load_chunk(s_rows + TileSwizzle<C>::offset(row, chunk)),
                  output_row<T>(params, task.batch, task.head, first_row + row) + chunk * 8);
  }

  // What was written above, by this warp or by the others that share its rows, is overwritten
  // below.
  if (C.share_weights && !device::block_any(rewrite)) return;
#pragma unroll
  for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if (not_finite[tile][half] == 0) continue;
      device::warp_barrier();
#pragma unroll 1
      for (int group = 0; group < 8; ++group) {
        const int row = first_row + tile * 16 + half * 8 + group;
        if ((not_finite[tile][half] >> group * device::lanes_per_row & 0xFU) != 0 &&
            row < seq_q(params))
          device::rewrite_row_carefully(careful_question<C>(params, task, row, {0, seq_kv(params)}),
                                        place.lane,
                                        output_row<T>(params, task.batch, task.head, row));
      }
    }
}

/// What several warps or blocks found for one row, together.
struct MergedRow {
  device::OnlineSoftmax softmax;
  bool finite = true;
};

template <Config C>
MergedRow merge_row(const WarpRow* s_row) {
  MergedRow merged;
#pragma unroll
  for (int warp = 0; warp < C.kv_warps; ++warp)
    merged.softmax.row_max = device::maximum(merged.softmax.row_max, s_row[warp * block_q(C)].max);
#pragma unroll
  for (int warp = 0; warp < C.kv_warps; ++warp) {
    const WarpRow& part = s_row[warp * block_q(C)];
    merged.softmax.row_sum += part.sum * merged.softmax.weight(part.max);
    merged.finite = merged.finite && part.finite;
  }
  return merged;
}

/// r_sums += 8 columns of a part, times its weight.
inline void add_part(const float* part, float weight, float (&r_sums)[8]) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const auto values = device::load_vector<float, 4>(part + half * 4);
#pragma unroll
    for (int i = 0; i < 4; ++i) r_sums[half * 4 + i] += values.values[i] * weight;
  }
}

/// Writes 8 columns of a row's output.
template <typename T>
void store_final(const Params& params, int batch, int head, int row, int chunk,
                 const device::OnlineSoftmax& softmax, const float (&r_sums)[8]) {
  const bool sees_keys = !keys_of_row(params, row).empty();
  const float inverse_sum = sees_keys ? device::reciprocal_approx(softmax.row_sum) : 0.0F;
  Chunk packed;
#pragma unroll
  for (int i = 0; i < 4; ++i)
    packed.values[i] =
        device::pack(T{}, r_sums[2 * i] * inverse_sum, r_sums[2 * i + 1] * inverse_sum);
  store_chunk(packed, output_row<T>(params, batch, head, row) + chunk * 8);
  if (chunk == 0) store_lse(params, batch, head, row, sees_keys, softmax.log_sum_exp());
}

/// Writes 8 columns of what this split found for a row.
inline void store_partial(const Params& params, const BlockTask& task, int row, int chunk,
                          const device::OnlineSoftmax& softmax, const float (&r_sums)[8]) {
  const long long index = partial_index(params, task, row);
  float* g_part = params.g_partial_out + index * params.head_dim + chunk * 8;
  device::store_vector(Floats4{{r_sums[0], r_sums[1], r_sums[2], r_sums[3]}}, g_part);
  device::store_vector(Floats4{{r_sums[4], r_sums[5], r_sums[6], r_sums[7]}}, g_part + 4);
  if (chunk == 0) params.g_partial_rows[index] = {softmax.row_max, softmax.row_sum};
}

/// The same for a row computed again. The whole warp takes part.
template <Config C>
void rewrite_partial(const Params& params, const BlockTask& task, int row, int lane, Keys keys,
                     float row_sum) {
  float r_out[device::careful_elements];
  device::careful_row(careful_question<C>(params, task, row, keys), lane, r_out);
  float* g_part = params.g_partial_out + partial_index(params, task, row) * params.head_dim;
#pragma unroll
  for (int e = 0; e < device::careful_elements; ++e) {
    const int column = device::careful_column(e, lane);
    // Nothing but scores of -inf weighs nothing beside other splits.
    if (column < params.head_dim) g_part[column] = row_sum == 0.0F ? 0.0F : r_out[e] * row_sum;
  }
}

/// Leaves a warp's part of its rows in shared memory. The sums are joined.
template <Config C>
void leave_parts(const WarpPlace& place, const RowStates<C>& rows, const Output<C>& r_out,
                 float* s_out, WarpRow* s_rows) {
  constexpr int row_floats = layout(C).partial_row;
  const int lane_in_row = place.lane % device::lanes_per_row;
#pragma unroll
  for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = place.kv_warp * block_q(C) + place.row_warp * C.rows_per_warp + tile * 16 +
                      half * 8 + place.lane / device::lanes_per_row;
      const unsigned not_finite = device::warp_ballot(!is_finite<C>(r_out[tile], half));
#pragma unroll
      for (int column = 0; column < out_tiles(C); ++column)
        device::store_vector(
            Floats2{{r_out[tile][column][half * 2], r_out[tile][column][half * 2 + 1]}},
            s_out + row * row_floats + column * 8 + lane_in_row * 2);
      if (lane_in_row == 0)
        s_rows[row] = {rows[tile][half].reference_max, rows[tile][half].row_sum,
                       (not_finite >> place.lane & 0xFU) == 0};
    }
}

/// Joins what the kv_warps found and writes it: to the output, or to the workspace when other
/// blocks have other keys of the same rows.
template <Config C>
void merge_warps(const Params& params, const RowStates<C>& rows, const Output<C>& r_out) {
  using T = device::Storage<C.element>;
  const BlockTask task = block_task<C>(params);
  const WarpPlace place = warp_place<C>();
  constexpr Layout map = layout(C);
  auto* s_out = reinterpret_cast<float*>(device::shared_memory() + map.s_partial_out);
  auto* s_rows = reinterpret_cast<WarpRow*>(device::shared_memory() + map.s_partial_rows);
  leave_parts<C>(place, rows, r_out, s_out, s_rows);
  device::block_barrier();  // the parts are complete

#pragma unroll 1
  for (int i = device::thread_index(); i < block_q(C) * chunks(C); i += threads(C)) {
    const int block_row = i / chunks(C);
    const int chunk = i % chunks(C);
    const int row = task.first_row + block_row;
    if (row >= seq_q(params) || chunk * 8 >= params.head_dim) continue;
    const MergedRow merged = merge_row<C>(s_rows + block_row);
    float r_sums[8] = {};
#pragma unroll
    for (int warp = 0; warp < C.kv_warps; ++warp) {
      const int part = warp * block_q(C) + block_row;
      add_part(s_out + part * map.partial_row + chunk * 8, merged.softmax.weight(s_rows[part].max),
               r_sums);
    }
    if constexpr (C.kv_splits > 1)
      store_partial(params, task, row, chunk, merged.softmax, r_sums);
    else
      store_final<T>(params, task.batch, task.head, row, chunk, merged.softmax, r_sums);
  }

  bool rewrite = false;
  for (int row = device::thread_index(); row < block_q(C); row += threads(C))
    rewrite = rewrite || !merge_row<C>(s_rows + row).finite;
  if (!device::block_any(rewrite)) return;  // a barrier too: all is written that is overwritten
#pragma unroll 1
  for (int block_row = device::thread_index() / 32; block_row < block_q(C);
       block_row += threads(C) / 32) {
    const int row = task.first_row + block_row;
    const MergedRow merged = merge_row<C>(s_rows + block_row);
    if (row >= seq_q(params) || merged.finite) continue;
    if constexpr (C.kv_splits > 1)
      rewrite_partial<C>(params, task, row, place.lane,
                         keys_of_block<C>(params, task.first_row, task.split),
                         merged.softmax.row_sum);
    else
      device::rewrite_row_carefully(careful_question<C>(params, task, row, {0, seq_kv(params)}),
                                    place.lane, output_row<T>(params, task.batch, task.head, row));
  }
}

}  // namespace flashcore::forward_mma
