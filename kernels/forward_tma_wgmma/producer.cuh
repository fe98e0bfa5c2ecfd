// The thread that starts the copies: of every task Q, and K and V of one tile after the other.
#pragma once

#include "device/ptx/tensor_copy.h"
#include "device/tile/ring.h"
#include "forward_tma_wgmma/shared.cuh"
#include "forward_tma_wgmma/task.h"

namespace flashcore::forward_tma_wgmma {

template <Config C>
class Producer {
 public:
  explicit Producer(const ParamsOf<C>& params) : params_(params), schedule_(params) {}

  /// The first copies, to places that nobody has used, by the thread that has initialised the
  /// barriers which announce them and before others know.
  void start() {
    if (!schedule_.has_task()) return;
    place_ = place_of<C>(params_, schedule_.index());
    // Q's place is known sooner; with more consumers its rows are more copies than K's tile.
    if (C.consumers == 1) copy_q<false>();
    task_ = task_of<C>(params_, schedule_.index());
    copy_k<false>(0);
    if (C.consumers > 1) copy_q<false>();
    copy_v<false>(0);
  }

  void run() {
#pragma unroll 1
    while (schedule_.has_task()) {
      schedule_.advance();
      if (C.q_stages > 1 && schedule_.has_task()) copy_q();
#pragma unroll 1
      for (int tile = 1; tile < task_.tiles; ++tile) {
        copy_k(tile);
        copy_v(tile);
      }
      if (!schedule_.has_task()) return;
      task_ = task_of<C>(params_, schedule_.index());
      place_ = place_of<C>(params_, schedule_.index());
      // Whichever place is free first.
      if (C.q_stages == 1 && q_in_registers(C)) copy_q();
      copy_k(0);
      if (C.q_stages == 1 && !q_in_registers(C)) copy_q();
      copy_v(0);
    }
  }

 private:
  using S = Shared<C>;

  /// Every tile of 64 columns, from row `y` of plane `z` on.
  static void copy_columns(const device::TensorMap& map, unsigned char* s_tile, int column_bytes,
                           device::Mbarrier& full, int y, int z, int batch) {
    device::arrive_and_expect(full, column_tiles(C) * column_bytes);
#pragma unroll(C.head_dim > 128 ? 1 : 2)
    for (int column = 0; column < column_tiles(C); ++column)
      device::copy_tensor(map, s_tile + column * column_bytes, full, column * 64, y, z, batch);
  }

  /// Of the task that the schedule is at. Each waits for its place, unless it is the first to use
  /// it.
  template <bool waits = true>
  void copy_q() {
#pragma unroll 1
    for (int consumer = 0; consumer < C.consumers; ++consumer) {
      if (waits)
        device::wait_suspended(barriers_.q_empty[q_ring_.stage][consumer], q_ring_.parity ^ 1);
      if constexpr (stays(C)) assign(consumer);
      // Two tasks ahead of K's and V's, or with them.
      const TaskPlace place = waits && C.q_stages > 1
                                  ? place_of<C>(params_, device::opaque(schedule_.index()))
                                  : place_;
      const int slot = slot_of<C>(consumer, schedule_.round());
      copy_columns(params_.q_map, S::q(q_ring_.stage, consumer), q_column_bytes,
                   barriers_.q_full[q_ring_.stage][consumer], place.head,
                   first_position_of<C>(params_, place) + positions<C>(params_, slot), place.batch);
    }
    q_ring_.advance();
  }
  /// Tells a consumer of its next task, with its rows of the one that the schedule is at.
  void assign(int consumer) {
    auto next_q = q_ring_;
    next_q.advance();
    const unsigned next = device::opaque(schedule_.next_index());
    Assignment assignment{};  // without tiles
    if (next < params_.tasks)
      assignment = share_of<C>(params_, task_of<C>(params_, next),
                               slot_of<C>(consumer, schedule_.round() + 1));
    S::assignment(next_q, consumer) = assignment;
  }
  template <bool waits = true>
  void copy_k(int tile) {
    if (waits) device::wait_suspended(barriers_.k_empty[k_ring_.stage], k_ring_.parity ^ 1);
    copy_columns(params_.k_map, S::k(k_ring_.stage), S::kv_column_bytes,
                 barriers_.k_full[k_ring_.stage], first_key_of<C>(task_, tile), place_.kv_head,
                 place_.batch);
    k_ring_.advance();
  }
  template <bool waits = true>
  void copy_v(int tile) {
    if (waits) device::wait_suspended(barriers_.v_empty[v_ring_.stage], v_ring_.parity ^ 1);
    copy_columns(params_.v_map, S::v(v_ring_.stage), S::kv_column_bytes,
                 barriers_.v_full[v_ring_.stage], first_key_of<C>(task_, tile), place_.kv_head,
                 place_.batch);
    v_ring_.advance();
  }

  const ParamsOf<C>& params_;
  Barriers<C>& barriers_ = S::barriers();
  Schedule<C> schedule_;
  Task task_;
  TaskPlace place_;
  device::Ring<C.q_stages> q_ring_;
  device::Ring<C.stages> k_ring_, v_ring_;
};

}  // namespace flashcore::forward_tma_wgmma
