// What a consumer warpgroup does with its 64 rows of every task.
#pragma once

#include "device/ptx/ldmatrix.h"
#include "device/ptx/mbarrier.h"
#include "device/ptx/named_barrier.h"
#include "device/ptx/tensor_copy.h"
#include "device/ptx/wgmma.h"
#include "device/tile/ring.h"
#include "device/tile/swizzle.h"
#include "device/tile/warpgroup.h"
#include "forward_tma_wgmma/epilogue.cuh"
#include "forward_tma_wgmma/merge.cuh"
#include "forward_tma_wgmma/shared.cuh"
#include "forward_tma_wgmma/softmax.cuh"
#include "forward_tma_wgmma/task.h"

namespace flashcore::forward_tma_wgmma {

/// A warp's rows of Q as the products take A from registers.
template <Config C>
using QueryFragments = unsigned[dot_steps(C)][4];

/// Starts r_scores = Q K^T.
template <Config C>
void start_q_k(device::MatrixDescriptor q, const QueryFragments<C>& r_q, device::MatrixDescriptor k,
               Scores<C>& r_scores) {
  device::wgmma_fence();
#pragma unroll
  for (int step = 0; step < dot_steps(C); ++step)
    if constexpr (q_in_registers(C))
      device::multiply_registers<C.block_kv>(
          device::Storage<C.element>{}, r_scores, r_q[step],
          k.at(step / 4 * Shared<C>::kv_column_bytes + step % 4 * 32), step > 0);
    else
      device::multiply_shared<C.block_kv>(
          device::Storage<C.element>{}, r_scores, q.at(step / 4 * q_column_bytes + step % 4 * 32),
          k.at(step / 4 * Shared<C>::kv_column_bytes + step % 4 * 32), step > 0);
  device::wgmma_commit();
}

/// Starts r_out = P V, or r_out += P V.
template <Config C>
void start_p_v(const Weights<C>& r_weights, device::MatrixDescriptor v, Output<C>& r_out,
               bool accumulate) {
  device::wgmma_fence();
#pragma unroll
  for (int step = 0; step < key_steps(C); ++step)
    device::multiply_registers<C.head_dim, true>(device::Storage<C.element>{}, r_out,
                                                 r_weights[step], v.at(step * 16 * line_bytes),
                                                 accumulate || step > 0);
  device::wgmma_commit();
}

/// Tiles are a chain that does not break where a task ends: Q K^T of a tile is started together
/// with P V of the one before it. With overlap_output that P V runs on while the tile is weighed,
/// or a task's output is stored.
template <Config C>
class Consumer {
 public:
  Consumer(const ParamsOf<C>& params, int consumer)
      : params_(params), consumer_(consumer), lane_(device::lane_index()) {}

  void run() {
    const Schedule<C> schedule(params_);
    if (!schedule.has_task()) return;
    Task task = task_of<C>(params_, schedule.index());
    task.first_position += positions<C>(params_, slot_of<C>(consumer_, 0));
    if (consumer_ == C.consumers - 1) pass_turn();  // the first turn is the first consumer's
    begin({.task = task, .hidden_tiles = 0, .narrow = 0});
#pragma unroll 1
    for (;;) {
      weigh_tiles(task);
      if constexpr (!stays(C)) break;
      const Assignment next = assignment();
      if (next.task.tiles == 0) break;
      if (passes_over_hidden(C) && next.hidden_tiles > 0)
        skip(task, next);
      else
        go_on(task, next);
      task = next.task;
    }
    end(task);
    if (consumer_ == 0) take_turn();  // the last consumer's last pass is for nobody
    rewrite();
  }

 private:
  using S = Shared<C>;

  /// Of the next task, the warpgroup's: the producer has written it with this one's rows of Q.
  Assignment assignment() const {
    const Assignment& s_share = S::assignment(q_ring_, consumer_);
    const Assignment share{
        .task = {.index =
                     static_cast<unsigned>(device::uniform(static_cast<int>(s_share.task.index))),
                 .first_position = device::uniform(s_share.task.first_position),
                 .first_key = device::uniform(s_share.task.first_key),
                 .tiles = device::uniform(s_share.task.tiles)},
        .hidden_tiles = passes_over_hidden(C) ? device::uniform(s_share.hidden_tiles) : 0,
        .narrow = narrow_keys(C) < C.block_kv ? device::uniform(s_share.narrow) : 0};
    device::warp_barrier();  // every lane has read it: lane 0 gives its place up, with the rows'
    return share;
  }

  /// To a task's first weights, with nothing under way.
  void begin(const Assignment& next) {
    wait_for_q();
    take_turn();
    start_scores(k_tile());
    device::wgmma_wait<0>();
    pass_turn();
    finish_scores();
    release_q(next.task.tiles == 1);
    softmax_ = weigh_first(next, r_weights_);
  }

  /// The weights of a task's first tile, of which the warpgroup's rows may see but half.
  Softmax<C> weigh_first(const Assignment& next, Weights<C>& r_weights) {
    Softmax<C> softmax;
    if (narrow_keys(C) < C.block_kv && next.narrow != 0) {
      mask<narrow_keys(C)>(next.task, 0);
      softmax.template weigh_first<narrow_keys(C)>(r_scores_, params_.scale_log2e, r_weights);
    } else {
      mask(next.task, 0);
      softmax.weigh_first(r_scores_, params_.scale_log2e, r_weights);
    }
    return softmax;
  }

  /// From a task's last weights to its end.
  void end(const Task& task) {
    start_output(v_tile(), r_weights_, task.tiles > 1);
    device::wgmma_wait<0>();
    finish_output();
    store(task);
  }

  /// From a task's last product to the next one's first weights, past tiles that the warpgroup's
  /// rows do not see.
  void skip(const Task& task, const Assignment& next) {
    end(task);
#pragma unroll 1
    for (int tile = 0; tile < next.hidden_tiles; ++tile) {
      take_turn();
      pass_turn();
      pass_over(k_ring_, barriers_.k_full, barriers_.k_empty);
      pass_over(v_ring_, barriers_.v_full, barriers_.v_empty);
    }
    begin(next);
  }
  void pass_over(device::Ring<C.stages>& ring, device::Mbarrier (&full)[C.stages],
                 device::Mbarrier (&empty)[C.stages]) {
    device::wait_suspended(full[ring.stage], ring.parity);
    device::warp_barrier();  // every lane has seen it: a stage may be filled twice meanwhile
    release(empty[ring.stage]);
    ring.advance();
  }

  /// From a task's last product to the next one's first weights.
  void go_on(const Task& task, const Assignment& next) {
    if constexpr (C.q_stages > 1)
      weigh_then_store(task, next);
    else
      store_then_weigh(task, next);
  }

  /// The next one's rows of Q have landed long ago: their first scores are computed beside the last
  /// product.
  void weigh_then_store(const Task& task, const Assignment& next) {
    wait_for_q();
    multiply(first_operand(), r_weights_, task.tiles > 1);
    finish_products();
    release_q(next.task.tiles == 1);
    if constexpr (overlaps_output(C)) {
      Weights<C> r_weights;  // the product reads r_weights_
      const Softmax<C> softmax = weigh_first(next, r_weights);
      device::wgmma_wait<0>();
      finish_output();
      store(task);
      device::refill(r_weights_, r_weights);
      softmax_ = softmax;
    } else {
      const Softmax<C> softmax = weigh_first(next, r_weights_);
      store(task);
      softmax_ = softmax;
    }
  }

  /// The same where they are only now being copied.
  void store_then_weigh(const Task& task, const Assignment& next) {
    start_output(v_tile(), r_weights_, task.tiles > 1);
    wait_for_q();
    take_turn();
    start_scores(k_tile());
    device::wgmma_wait<0>();
    pass_turn();
    finish_scores();
    release_q(next.task.tiles == 1);
    finish_output();
    store(task);
    softmax_ = weigh_first(next, r_weights_);
  }

  /// From the first tile's weights to the last one's, with the output of all before complete and
  /// rescaled. What the next turn's products begin with is known before the turn comes.
  void weigh_tiles(const Task& task) {
    device::MatrixDescriptor first = first_operand();
    int tile = 1;
    if constexpr (alternates_weights(C)) {
      Weights<C> r_others;
#pragma unroll 1
      for (; tile + 1 < task.tiles; tile += 2) {
        first = weigh_tile(task, tile, first, r_weights_, r_others);
        first = weigh_tile(task, tile + 1, first, r_others, r_weights_);
      }
    }
    if constexpr (overlaps_output(C)) {
#pragma unroll 1
      for (; tile < task.tiles; ++tile) {
        Weights<C> r_weights;  // the product reads r_weights_
        first = weigh_tile(task, tile, first, r_weights_, r_weights);
        device::refill(r_weights_, r_weights);
      }
    } else {
      const Tiles plain = plain_tiles<C>(params_, task);
#pragma unroll 1
      while (tile < task.tiles) {
        if (plain.has(tile))
          tile = weigh_plain_tiles(task, tile, plain.end, first);
        else
          first = weigh_tile(task, tile++, first, r_weights_, r_weights_);
      }
    }
  }

  /// A tile's scores and weights, and the product of the one before it, whose weights are given.
  /// `first` is first_operand(), as is what it returns for the tile after.
  device::MatrixDescriptor weigh_tile(const Task& task, int tile, device::MatrixDescriptor first,
                                      const Weights<C>& r_weights_before, Weights<C>& r_weights) {
    const bool last = tile == task.tiles - 1;
    multiply(first, r_weights_before, tile > 1);
    first = finish_products(last);
    mask(task, tile);
    const bool moved = !softmax_.weigh_lightly(r_scores_, params_.scale_log2e, r_weights) &&
                       softmax_.weigh_carefully(r_scores_, params_.scale_log2e, r_weights);
    if constexpr (overlaps_output(C)) {
      device::wgmma_wait<0>();
      finish_output();
    }
    if (moved) softmax_.rescale(r_out_);
    return first;
  }

  /// Plain tiles from this one to `end`, in a loop that has nothing but what they need: it is left
  /// where weights turn out not to be light, or what comes next has not landed. The first tile that
  /// is left; `first` is first_operand() of it.
  int weigh_plain_tiles(const Task& task, int tile, int end, device::MatrixDescriptor& first) {
    device::wait_suspended(barriers_.v_full[v_ring_.stage], v_ring_.parity);
    device::wait_suspended(barriers_.k_full[k_ring_.stage], k_ring_.parity);
#pragma unroll 1
    do {
      multiply<true>(first, r_weights_, tile > 1);
      first = finish_products(tile == task.tiles - 1);
      const bool goes_on = tiles_landed() || tile + 1 == end;
      float sums[2];
      softmax_.weigh_lightly(r_scores_, params_.scale_log2e, r_weights_, sums);
      if (!softmax_.add(sums, goes_on)) {
        if (!softmax_.add(sums) &&
            softmax_.weigh_carefully(r_scores_, params_.scale_log2e, r_weights_))
          softmax_.rescale(r_out_);
        return tile + 1;
      }
    } while (++tile < end);
    return tile;
  }

  /// What the next tile's products read: its keys, and the values of the one before.
  bool tiles_landed() const {
    const bool v_landed = device::completed(barriers_.v_full[v_ring_.stage], v_ring_.parity);
    const bool k_landed = device::completed(barriers_.k_full[k_ring_.stage], k_ring_.parity);
    return v_landed && k_landed;
  }

  /// Q K^T of a tile and P V of the one before it, which is still under way at the end if the
  /// tile's weights are to overlap it. `first` is first_operand(). `Landed`: both tiles have.
  template <bool Landed = false>
  void multiply(device::MatrixDescriptor first, const Weights<C>& r_weights, bool accumulate) {
    take_turn();
    if constexpr (overlaps_output(C)) {
      start_scores(first);
      start_output(v_tile(), r_weights, accumulate);
      device::wgmma_wait<1>();
      pass_turn();
    } else {
      start_output<Landed>(first, r_weights, accumulate);
      start_scores<Landed>(k_tile());
      if constexpr (passes_turn_early(C)) pass_turn();
      device::wgmma_wait<0>();
      if constexpr (!passes_turn_early(C)) pass_turn();
    }
  }
  device::MatrixDescriptor finish_products(bool last) {
    finish_products();
    const device::MatrixDescriptor next = first_operand();
    release_q(last);
    return next;
  }
  void finish_products() {
    finish_scores();
    if constexpr (!overlaps_output(C)) finish_output();
  }

  /// The tiles that K's and V's rings are at.
  device::MatrixDescriptor k_tile() const {
    return device::k_major(device::shared_address(S::k(k_ring_.stage)));
  }
  device::MatrixDescriptor v_tile() const {
    return device::n_major(device::shared_address(S::v(v_ring_.stage)), S::kv_column_bytes);
  }
  /// The one that a turn's products begin with. Said to be the same in every lane, it is worked out
  /// here, among a tile's weights, and not when the turn has come.
  device::MatrixDescriptor first_operand() const {
    const auto bits = (overlaps_output(C) ? k_tile() : v_tile()).bits;
    return {(bits >> 32 << 32) | static_cast<unsigned>(device::uniform(static_cast<int>(bits)))};
  }
  /// The consumer's rows of the place that wait_for_q() found. Said to be the same in every lane,
  /// it is worked out once and not before every product.
  device::MatrixDescriptor q_tile() const {
    return device::k_major(device::uniform(device::shared_address(S::q(q_stage_, consumer_))));
  }

  /// The barrier of consumer 0 is the first one after those of flip_q_sign.
  static int turn_of(int consumer) {
    return 1 + C.consumers + consumer;
  }
  void take_turn() const {
    if constexpr (take_turns(C))
      device::named_barrier(turn_of(consumer_), 2 * device::warpgroup_threads);
  }
  void pass_turn() const {
    if constexpr (take_turns(C))
      device::named_barrier_arrive(turn_of((consumer_ + 1) % C.consumers),
                                   2 * device::warpgroup_threads);
  }

  void wait_for_q() {
    q_stage_ = q_ring_.stage;
    device::wait_suspended(barriers_.q_full[q_stage_][consumer_], q_ring_.parity);
    q_ring_.advance();
    if (params_.flip_q_sign != 0) flip_q_sign();
    if constexpr (q_in_registers(C))
      load_q();
    else
      q_ = q_tile();
  }
  template <bool Landed = false>
  void start_scores(device::MatrixDescriptor k) {
    if constexpr (!Landed) device::wait_suspended(barriers_.k_full[k_ring_.stage], k_ring_.parity);
    start_q_k<C>(q_, r_q_, k, r_scores_);
  }
  void finish_scores() {
    device::hold(r_scores_);
    release(barriers_.k_empty[k_ring_.stage]);
    k_ring_.advance();
  }
  /// After the task's last tile of scores.
  void release_q(bool last) {
    if constexpr (!q_in_registers(C))
      device::arrive_if(last && lane_ == 0, barriers_.q_empty[q_stage_][consumer_]);
  }
  /// The warp's rows, whose place is free then.
  void load_q() {
    const auto place = device::matrix_row(lane_);
    const auto line = device::warp_index() % 4 * 16 + place.row;
#pragma unroll
    for (int step = 0; step < dot_steps(C); ++step)
      device::load_matrices(r_q_[step],
                            device::shared_address(S::q(q_stage_, consumer_)) +
                                step / 4 * q_column_bytes +
                                device::Swizzle<8>::offset(line, step % 4 * 2 + place.chunk));
    device::warp_barrier();
    release(barriers_.q_empty[q_stage_][consumer_]);
  }
  template <bool Landed = false>
  void start_output(device::MatrixDescriptor v, const Weights<C>& r_weights, bool accumulate) {
    if constexpr (!Landed) device::wait_suspended(barriers_.v_full[v_ring_.stage], v_ring_.parity);
    start_p_v<C>(r_weights, v, r_out_, accumulate);
  }
  void finish_output() {
    device::hold(r_out_);
    release(barriers_.v_empty[v_ring_.stage]);
    v_ring_.advance();
  }
  /// Every consumer warp arrives once, when it has read the tile.
  void release(device::Mbarrier& empty) const {
    device::arrive_if(lane_ == 0, empty);
  }

  /// Of the warpgroup's rows, the warp's first.
  int warp_row() const {
    return device::warp_index() % 4 * 16;
  }

  /// Hides what the lane's rows do not see of a tile, where the warpgroup's rows differ in it.
  template <int Keys = C.block_kv>
  void mask(const Task& task, int tile) {
    const int key = first_key_of<C>(task, tile);
    const auto all = keys_of_all_rows<C>(params_, task);
    if (key >= all.begin && key + Keys <= all.end) return;
    const int own_key = key + device::sum_place(lane_, 0).column;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int row =
          task.first_position + position_of<C>(params_, warp_row() + lane_ / 4 + half * 8);
      const auto seen = keys_between(params_, row, row);
      hide_keys<C, Keys>(r_scores_, half, seen.begin - own_key, seen.end - own_key);
    }
  }

  /// Changes the sign of the warpgroup's rows of Q, whose bytes the swizzle only moves about.
  void flip_q_sign() const {
    auto* s_rows = reinterpret_cast<unsigned*>(S::q(q_stage_, consumer_));
    for (int i = device::thread_index() % device::warpgroup_threads; i < S::map.rows_bytes / 4;
         i += device::warpgroup_threads)
      s_rows[i] ^= params_.flip_q_sign;
    device::fence_async_proxy();  // products read it next
    device::named_barrier(1 + consumer_, device::warpgroup_threads);
  }

  /// The rows that this warp finishes: both halves, unless a cluster's blocks deal them.
  bool finishes(int half) const {
    if constexpr (C.kv_splits > 1) return merge().owns(half);
    return true;
  }
  Merge<C> merge() const {
    return {consumer_, device::warp_index() % 4, lane_};
  }

  void store(const Task& task) {
    for (device::LazySoftmax& row : softmax_.rows) row.row_sum = device::row_total(row.row_sum);
    if constexpr (C.kv_splits > 1) {
      device::cluster_wait();  // all blocks have started
      merge().send(r_out_, softmax_.rows);
      merge().wait();
    }
    const TaskPlace place = place_of<C>(params_, device::opaque(task.index));
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if (!finishes(half)) continue;
      if constexpr (C.kv_splits > 1) merge().finish(half, r_out_, softmax_.rows[half]);
      const QueryRow row =
          query_row<C>(params_, place, task.first_position, warp_row() + lane_ / 4 + half * 8);
      if (!store_row<C>(params_, place.batch, row, half, lane_, r_out_, softmax_.rows[half]))
        not_finite_ = true;
    }
  }

  /// Few calls have such rows: all tasks' are looked for at the end, if there were any.
  void rewrite() const {
    if (!device::warp_any(not_finite_)) return;
#pragma unroll 1
    for (Schedule<C> schedule(params_); schedule.has_task(); schedule.advance()) {
      Task task = task_of<C>(params_, schedule.index());
      task.first_position += positions<C>(params_, slot_of<C>(consumer_, schedule.round()));
#pragma unroll 1
      for (int half = 0; half < 2; ++half)
        if (finishes(half)) rewrite_rows<C>(params_, task, warp_row() + half * 8, lane_);
    }
  }

  const ParamsOf<C>& params_;
  Barriers<C>& barriers_ = S::barriers();
  int consumer_;
  int lane_;
  int q_stage_ = 0;
  device::MatrixDescriptor q_;
  bool not_finite_ = false;  // an element of the output was not
  device::Ring<C.q_stages> q_ring_;
  device::Ring<C.stages> k_ring_, v_ring_;
  Softmax<C> softmax_;
  QueryFragments<C> r_q_;
  Scores<C> r_scores_;
  Weights<C> r_weights_;
  Output<C> r_out_;
};

}  // namespace flashcore::forward_tma_wgmma
