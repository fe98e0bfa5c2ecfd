// What a consumer warpgroup does with its 64 rows: Q K^T of a tile beside P V of the one before.
#pragma once

#include "device/attention/careful_row.h"
#include "device/ptx/mbarrier.h"
#include "device/ptx/named_barrier.h"
#include "device/ptx/tensor_copy.h"
#include "device/ptx/wgmma.h"
#include "device/tile/ring.h"
#include "device/tile/swizzle.h"
#include "device/tile/warpgroup.h"
#include "forward_tma_wgmma/shared.cuh"
#include "forward_tma_wgmma/softmax.cuh"
#include "forward_tma_wgmma/task.h"

namespace flashcore::forward_tma_wgmma {

/// Named barriers of the block; 0 is block_barrier's.
enum class NamedBarrier : int {
  turn = 1 /* and one for each more consumer */,
  rows = 5 /* likewise */
};

/// Starts r_scores = Q K^T.
template <Config C>
void start_q_k(device::SharedAddress s_q, device::SharedAddress s_k, Scores<C>& r_scores) {
  using S = Shared<C>;
  const auto q = device::k_major(s_q);
  const auto k = device::k_major(s_k);
  device::wgmma_fence();
#pragma unroll
  for (int step = 0; step < dot_steps(C); ++step)
    device::multiply_shared<C.block_kv>(
        device::Storage<C.element>{}, r_scores, q.at(step / 4 * S::q_column_bytes + step % 4 * 32),
        k.at(step / 4 * S::kv_column_bytes + step % 4 * 32), step > 0);
  device::wgmma_commit();
}

/// Starts r_out += P V.
template <Config C>
void start_p_v(const Weights<C>& r_weights, device::SharedAddress s_v, Output<C>& r_out,
               bool accumulate) {
  const auto v = device::n_major(s_v, Shared<C>::kv_column_bytes);
  device::wgmma_fence();
#pragma unroll
  for (int step = 0; step < key_steps(C); ++step)
    device::multiply_registers<C.head_dim, true>(device::Storage<C.element>{}, r_out,
                                                 r_weights[step], v.at(step * 16 * line_bytes),
                                                 accumulate || step > 0);
  device::wgmma_commit();
}

/// Every consumer warp arrives once, when it has read the tile.
inline void release(device::Mbarrier& empty, int lane) {
  if (lane == 0) device::arrive(empty);
}

template <Config C>
struct Consumer {
  using S = Shared<C>;
  const Params& params;
  const BlockTask& task;
  int group;      // which warpgroup of consumers
  int first_row;  // of its 64
  int lane;
  int row;  // the first of the lane's two, in seq_q
  device::LazySoftmax rows[2] = {};
  Output<C> r_out = {};

  void run() {
    auto& barriers = S::barriers();
    const auto s_q = device::shared_address(S::q()) + group * warpgroup_rows * line_bytes;
    device::wait_suspended(barriers.q_full, 0);
    if (params.flip_q_sign != 0) flip_q_sign();
    if (task.tiles == 0) return;

    Scores<C> r_scores;
    Weights<C> r_weights;
    device::Ring<C.stages> k_ring, v_ring;
    device::wait_suspended(barriers.k_full[0], 0);
    start_q_k<C>(s_q, device::shared_address(S::k(0)), r_scores);
    device::wgmma_wait<0>();
    device::hold(r_scores);
    release(barriers.k_empty[0], lane);
    k_ring.advance();
    float factors[2];
    mask(0, r_scores);
    weigh<C>(r_scores, params.scale_log2e, rows, factors);
    round_weights<C>(r_scores, r_weights);
    if (group == C.consumers - 1) pass_turn(0);  // the first turn is the first consumer's

#pragma unroll 1
    for (int tile = 1; tile < task.tiles; ++tile) {
      device::wait_suspended(barriers.k_full[k_ring.stage], k_ring.parity);
      take_turn();
      start_q_k<C>(s_q, device::shared_address(S::k(k_ring.stage)), r_scores);
      device::wait_suspended(barriers.v_full[v_ring.stage], v_ring.parity);
      start_p_v<C>(r_weights, device::shared_address(S::v(v_ring.stage)), r_out, true);
      pass_turn(tile);
      device::wgmma_wait<1>();  // the scores are there
      device::hold(r_scores);
      release(barriers.k_empty[k_ring.stage], lane);
      k_ring.advance();
      mask(tile, r_scores);
      weigh<C>(r_scores, params.scale_log2e, rows, factors);
      device::wgmma_wait<0>();
      device::hold(r_out);
      release(barriers.v_empty[v_ring.stage], lane);
      v_ring.advance();
      rescale<C>(factors, r_out);
      round_weights<C>(r_scores, r_weights);
    }
    device::wait_suspended(barriers.v_full[v_ring.stage], v_ring.parity);
    start_p_v<C>(r_weights, device::shared_address(S::v(v_ring.stage)), r_out, true);
    device::wgmma_wait<0>();
    device::hold(r_out);
  }

 private:
  static constexpr int turn_threads = 2 * device::warpgroup_threads;

  int turn_of(int which) const {
    return static_cast<int>(NamedBarrier::turn) + which;
  }
  void take_turn() const {
    if constexpr (C.take_turns) device::named_barrier(turn_of(group), turn_threads);
  }
  /// Nobody waits for the last turn.
  void pass_turn(int tile) const {
    if constexpr (C.take_turns)
      if (group < C.consumers - 1 || tile < task.tiles - 1)
        device::named_barrier_arrive(turn_of((group + 1) % C.consumers), turn_threads);
  }

  /// Hides what the lane's rows do not see of a tile, where the warpgroup's rows differ in it.
  void mask(int tile, Scores<C>& r_scores) const {
    const int key = first_key_of<C>(task, tile);
    const Keys all = keys_between(params, first_row + warpgroup_rows - 1, first_row);
    if (key >= all.begin && key + C.block_kv <= all.end) return;
    const int own_key = key + device::sum_place(lane, 0).column;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const Keys seen = keys_between(params, row + half * 8, row + half * 8);
      hide_keys<C>(r_scores, half, seen.begin - own_key, seen.end - own_key);
    }
  }

  /// Changes the sign of the warpgroup's rows of Q, whose bytes the swizzle only moves about.
  void flip_q_sign() const {
#pragma unroll 1
    for (int column = 0; column < column_tiles(C); ++column) {
      auto* s_rows = reinterpret_cast<unsigned*>(S::q() + column * S::q_column_bytes +
                                                 group * warpgroup_rows * line_bytes);
      for (int i = device::thread_index() % device::warpgroup_threads;
           i < warpgroup_rows * line_bytes / 4; i += device::warpgroup_threads)
        s_rows[i] ^= params.flip_q_sign;
    }
    device::fence_async_proxy();  // products read it next
    meet();
  }

 public:
  /// The warpgroup's own barrier.
  void meet() const {
    device::named_barrier(static_cast<int>(NamedBarrier::rows) + group, device::warpgroup_threads);
  }
};

}  // namespace flashcore::forward_tma_wgmma
