// A warp's way through its keys: which products, masks and weights each iteration asks for, and in
// which order, so that the matrix instructions have other work between them.
#pragma once

#include "device/ptx/cp_async.h"
#include "device/ptx/opaque.h"
#include "device/ptx/thread.h"
#include "forward_mma/keys.h"
#include "forward_mma/tile_math.cuh"

namespace flashcore::forward_mma {

/// Hides what the warp's rows do not see of the keys from first_key on.
template <Config C>
void apply_mask(const Params& params, int first_row, int first_key, int lane, Scores<C>& r_scores) {
#pragma unroll
  for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row = first_row + tile * 16 + half * 8 + lane / device::lanes_per_row;
      const Keys keys = keys_of_row(params, row);
      const int own_key = first_key + device::sum_place(lane, 0).column;
      hide_keys<C>(r_scores[tile], half, keys.begin - own_key, keys.end - own_key);
    }
}

/// The state that iterations hand on. Iteration t multiplies with tile t of K and, because weights
/// wait for the products beside which they are computed, with tile t - 1 of V.
template <Config C>
struct Sweep {
  const Params& params;
  int first_row;
  int lane;
  RowStates<C> rows = {};
  Output<C> r_out = {};
  bool settled = false;       // every row has a reference
  bool pending = false;       // the tile before waits for its values
  Weights<C> r_weights = {};  // of the tile before; with half_tiles, of its first half
  Scores<C> r_second = {};    // with half_tiles: of its second half

  void meet() { device::block_barrier(); }

  /// Begins an iteration: afterwards its tiles have landed, and everyone is done with those before.
  void meet(bool) {
    device::copy_async_wait<tiles_ahead(C) - 1>();  // this thread's part
    device::block_barrier();
  }

  template <typename Refill>
  void iterate(const QueryTile<C>& q, device::SharedAddress s_k, device::SharedAddress s_v,
               const WarpTile& tile, const Refill&) {
    static_assert(C.stages > 1);  // the next tile of K has a place of its own
    if constexpr (C.half_tiles)
      iterate_halves(q, s_k, TileReader<C>(s_v, device::matrix_row(lane)), tile);
    else
      iterate_whole(q, s_k, s_v, tile);
  }

  /// Joins the sums of the lanes that share a row.
  void join_sums() {
#pragma unroll
    for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        rows[tile][half].row_sum = device::row_total(rows[tile][half].row_sum);
  }

 private:
  /// Q K^T of this tile and P V of the one before, then this tile's weights between the latter.
  void iterate_whole(const QueryTile<C>& q, device::SharedAddress s_k, device::SharedAddress s_v,
                     const WarpTile& tile) {
    if (pending && tile.visible) {
      if (tile.masked)
        iterate_usual<true>(q, s_k, s_v, tile);
      else
        iterate_usual<false>(q, s_k, s_v, tile);
      return;
    }
    if (pending) {
      multiply_p_v(TileReader<C>(s_v, device::matrix_row(lane)), 0, r_weights);
    } else if (tile.visible) {
      Scores<C> r_scores;
      multiply_q_k<C>(q, s_k, lane, r_scores);
      mask(tile, 0, r_scores);
      weigh(r_scores, r_weights);
    }
    pending = tile.visible;
  }

  /// Twice in the program, so that where nothing is masked no branch lies between the products.
  template <bool Masked>
  void iterate_usual(const QueryTile<C>& q, device::SharedAddress s_k, device::SharedAddress s_v,
                     const WarpTile& tile) {
    Scores<C> r_scores;
    RowSums<C> sums = {};
    multiply_q_k<C>(q, s_k, lane, r_scores);
    if constexpr (Masked) mask(tile, 0, r_scores);
    const TileReader<C> v_reader(s_v, device::matrix_row(lane));
    multiply_and_weigh(v_reader, 0, r_weights, r_scores, sums, r_weights);
    settle(r_scores, sums, r_weights);
  }

  /// The same in halves: while one half's scores are multiplied, the half's before are weighed.
  void iterate_halves(const QueryTile<C>& q, device::SharedAddress s_k,
                      const TileReader<C>& v_reader, const WarpTile& tile) {
    constexpr int half = step_kv(C);
    const device::SharedAddress s_second = s_k + half * TileSwizzle<C>::row_bytes;
    Scores<C> r_first;
    Weights<C> r_second_weights;
    if (pending && tile.visible) {
      RowSums<C> sums = {};
      multiply_q_k<C>(q, s_k, lane, r_first);
      multiply_and_weigh(v_reader, 0, r_weights, r_second, sums, r_second_weights);
      settle(r_second, sums, r_second_weights);
      mask(tile, 0, r_first);

      RowSums<C> first_sums = {};
      multiply_q_k<C>(q, s_second, lane, r_second);
      multiply_and_weigh(v_reader, half, r_second_weights, r_first, first_sums, r_weights);
      settle(r_first, first_sums, r_weights);
      mask(tile, half, r_second);
    } else if (pending) {
      multiply_p_v(v_reader, 0, r_weights);
      weigh(r_second, r_second_weights);
      multiply_p_v(v_reader, half, r_second_weights);
    } else if (tile.visible) {
      multiply_q_k<C>(q, s_k, lane, r_first);
      mask(tile, 0, r_first);
      weigh(r_first, r_weights);
      multiply_q_k<C>(q, s_second, lane, r_second);
      mask(tile, half, r_second);
    }
    pending = tile.visible;
  }

  void multiply_p_v(const TileReader<C>& v_reader, int first_key, const Weights<C>& weights) {
#pragma unroll
    for (int step = 0; step < steps(C); ++step)
      multiply_p_v_step<C>(weights[step], v_reader, first_key + step * 16, r_out);
  }

  /// P V with `weights`, and between its products the weights of `scores`.
  void multiply_and_weigh(const TileReader<C>& v_reader, int first_key, const Weights<C>& weights,
                          const Scores<C>& scores, RowSums<C>& sums, Weights<C>& next_weights) {
#pragma unroll
    for (int step = 0; step < steps(C); ++step) {
      multiply_p_v_step<C>(weights[step], v_reader, first_key + step * 16, r_out);
      weigh_step<C>(scores, step, params.scale_log2e, rows, sums, next_weights[step]);
    }
  }

  void mask(const WarpTile& tile, int offset, Scores<C>& scores) {
    if (tile.masked)
      apply_mask<C>(params, device::opaque(first_row), tile.first_key + offset,
                    device::opaque(lane), scores);
  }

  /// Weighs scores relative to their own maximum where they exceed the reference by much.
  void weigh(const Scores<C>& scores, Weights<C>& weights) {
    RowMaxima<C> maxima;
    find_maxima<C>(scores, maxima);
    settled = follow_maxima<C>(maxima, params.scale_log2e, rows, r_out);
    RowSums<C> sums = {};
#pragma unroll
    for (int step = 0; step < steps(C); ++step)
      weigh_step<C>(scores, step, params.scale_log2e, rows, sums, weights[step]);
    add_sums<C>(sums, rows);
  }

  /// The usual weights were computed without a look at the maximum. If they did not stay small, or
  /// had no reference, they are computed again.
  void settle(const Scores<C>& scores, const RowSums<C>& sums, Weights<C>& weights) {
    if (settled && are_small<C>(sums))
      add_sums<C>(sums, rows);
    else
      weigh(scores, weights);
  }
};

}  // namespace flashcore::forward_mma
