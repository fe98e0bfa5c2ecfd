// The way of warps that share rows through their keys. Each weighs its part of a tile's keys and
// leaves the weights in shared memory; each multiplies all of them with its part of V's columns. A
// warp so has twice the rows for the same registers, and reads K and V for twice the products.
#pragma once

#include "device/ptx/opaque.h"
#include "device/ptx/thread.h"
#include "forward_mma/keys.h"
#include "forward_mma/layout.h"
#include "forward_mma/sweep.cuh"
#include "forward_mma/task.h"
#include "forward_mma/tile_math.cuh"

namespace flashcore::forward_mma {

template <Config C>
using WeightSwizzle = device::Swizzle<C.block_kv / 8>;

/// As Sweep: iteration t multiplies with tile t of K and tile t - 1 of V. The warps of one group of
/// rows must agree on the rows' references; they find out at the block's next barrier whether all
/// could keep theirs.
template <Config C>
struct SharedSweep {
  const Params& params;
  int first_row;
  int lane;
  RowStates<C> rows = {};
  Output<C> r_out = {};
  Scores<C> r_scores = {};  // of the tile before: its weights may have to be computed again
  bool settled = false;     // every row has a reference
  bool pending = false;     // the tile before waits for its values
  bool usual = false;       // its weights are relative to the reference, and small
  int turn = 0;             // where its weights are

  /// Begins an iteration: afterwards its tiles have landed, the weights of the tile before are
  /// complete, and everyone is done with what was before that. The weights of the first tile are
  /// computed here, while the second is on its way.
  void meet(bool first_weights) {
    if (!first_weights) {
      device::copy_async_wait<tiles_ahead(C) - 1>();
      if (!device::block_any(pending && !usual)) return;
    }
    weigh_again();
    device::copy_async_wait<tiles_ahead(C) - 1>();
    device::block_barrier();
  }

  /// `refill` is called when this warp has read the tile of K, where the next one takes its place.
  template <typename Refill>
  void iterate(const QueryTile<C>& q, device::SharedAddress s_k, device::SharedAddress s_v,
               const WarpTile& tile, const Refill& refill) {
    if (tile.visible) score(q, s_k, tile);
    if constexpr (C.stages == 1) refill();
    weigh_and_multiply(s_v, tile);
  }

  /// Joins the sums of the warps that share rows, in the order of their keys. A block barrier.
  void join_sums() {
    RowSums<C> own;
#pragma unroll
    for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        own[tile][half] = device::row_total(rows[tile][half].row_sum);
    leave(own);
    device::block_barrier();  // the sums are complete
#pragma unroll
    for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        float& total = rows[tile][half].row_sum;
        total = 0.0F;
#pragma unroll
        for (int warp = 0; warp < C.kv_warps; ++warp)
          total += exchange(warp, row_in_block(tile, half));
      }
  }

 private:
  static constexpr int tile_steps = C.block_kv / 16;
  using Swizzle = WeightSwizzle<C>;

  void score(const QueryTile<C>& q, device::SharedAddress s_k, const WarpTile& tile) {
    multiply_q_k<C>(q, s_k, lane, r_scores);
    if (tile.masked)
      apply_mask<C>(params, device::opaque(first_row), tile.first_key, device::opaque(lane),
                    r_scores);
  }

  /// P V of the tile before, and between its products this tile's weights, if its rows have
  /// references.
  void weigh_and_multiply(device::SharedAddress s_v, const WarpTile& tile) {
    turn ^= 1;
    usual = false;
    RowSums<C> sums = {};
    if (pending && tile.visible && settled) {
      multiply<true>(s_v, sums);
    } else {
      if (pending) multiply<false>(s_v, sums);
      if (tile.visible && settled) weigh(sums);
    }
    if (tile.visible && settled && are_small<C>(sums)) {
      add_sums<C>(sums, rows);
      usual = true;
    }
    pending = tile.visible;
  }

  /// Weighs the tile before relative to the largest scores of all its keys. The whole block takes
  /// part; a block barrier has to follow before the weights are read.
  void weigh_again() {
    RowMaxima<C> maxima;
    if (pending) {
      find_maxima<C>(r_scores, maxima);
      leave(maxima);
    }
    device::block_barrier();  // the maxima are complete
    if (pending) weigh_exactly(maxima);
  }

  /// The shared weights of this warp's rows, of the tile whose turn it is.
  unsigned char* weights_of(int which) const {
    constexpr Layout map = layout(C);
    const WarpPlace place = warp_place<C>();
    return device::shared_memory() + map.s_weights + which * map.weights_bytes +
           place.row_warp * C.rows_per_warp * Swizzle::row_bytes;
  }

  template <bool Weigh>
  void multiply(device::SharedAddress s_v, RowSums<C>& sums) {
    const TileReader<C> v_reader(s_v, device::matrix_row(device::opaque(lane)));
    const SwizzledReader<Swizzle> p_reader(device::shared_address(weights_of(turn ^ 1)),
                                           device::matrix_row(device::opaque(lane)));
#pragma unroll
    for (int step = 0; step < tile_steps; ++step) {
      WeightStep<C> r_weights;
#pragma unroll
      for (int tile = 0; tile < row_tiles(C); ++tile)
        device::load_matrices(r_weights[tile], p_reader.at(tile * 16, step * 16));
      multiply_p_v_step<C>(r_weights, v_reader, step * 16, r_out);
      if (Weigh && step % C.kv_warps == 0) weigh(step / C.kv_warps, sums);
    }
  }

  void weigh(RowSums<C>& sums) {
#pragma unroll
    for (int step = 0; step < steps(C); ++step) weigh(step, sums);
  }

  /// Leaves the weights of 16 of this warp's keys.
  void weigh(int step, RowSums<C>& sums) {
    WeightStep<C> r_weights;
    weigh_step<C>(r_scores, step, params.scale_log2e, rows, sums, r_weights);
    const int first_chunk = warp_place<C>().kv_warp * key_tiles(warp_kv(C)) + step * 2;
    unsigned char* const s_weights = weights_of(turn);
#pragma unroll
    for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int row = tile * 16 + i % 2 * 8 + lane / device::lanes_per_row;
        *reinterpret_cast<unsigned*>(s_weights + Swizzle::offset(row, first_chunk + i / 2) +
                                     lane % device::lanes_per_row * 4) = r_weights[tile][i];
      }
  }

  /// Where the warps of a group leave a number for each of their rows.
  static float& exchange(int kv_warp, int row) {
    auto* s_exchange = reinterpret_cast<float*>(device::shared_memory() + layout(C).s_exchange);
    return s_exchange[kv_warp * block_q(C) + row];
  }
  static int row_in_block(int tile, int half) {
    const WarpPlace place = warp_place<C>();
    return place.row_warp * C.rows_per_warp + tile * 16 + half * 8 +
           place.lane / device::lanes_per_row;
  }

  static void leave(const float (&values)[row_tiles(C)][2]) {
    const WarpPlace place = warp_place<C>();
#pragma unroll
    for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        if (place.lane % device::lanes_per_row == 0)
          exchange(place.kv_warp, row_in_block(tile, half)) = values[tile][half];
  }

  /// Weighs relative to the maximum of all the warps' keys. Where the usual weights were good,
  /// their sums are among the row's already, and have followed the reference with them.
  void weigh_exactly(RowMaxima<C>& maxima) {
#pragma unroll
    for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
      for (int half = 0; half < 2; ++half) {
#pragma unroll
        for (int warp = 0; warp < C.kv_warps; ++warp)
          maxima[tile][half] =
              device::maximum(maxima[tile][half], exchange(warp, row_in_block(tile, half)));
      }
    settled = follow_maxima<C>(maxima, params.scale_log2e, rows, r_out);
    RowSums<C> sums = {};
    weigh(sums);
    if (!usual) add_sums<C>(sums, rows);
    usual = true;
  }
};

template <Config C, bool Shared = C.share_weights>
struct SweepChoice {
  using Type = Sweep<C>;
};
template <Config C>
struct SweepChoice<C, true> {
  using Type = SharedSweep<C>;
};
template <Config C>
using SweepOf = typename SweepChoice<C>::Type;

}  // namespace flashcore::forward_mma
