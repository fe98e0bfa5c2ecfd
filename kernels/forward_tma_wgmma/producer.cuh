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
  explicit Producer(const Params& params) : params_(params) {}

  void run() {
#pragma unroll 1
    for (Schedule schedule(params_, C.kv_splits); schedule.has_task(); schedule.advance()) {
      const Task task = task_of<C>(params_, schedule.index());
      const TaskPlace place = place_of(params_, schedule.index());
      copy_k(place, first_key_of<C>(task, 0));  // its place is free before Q's is
      copy_q(place, task.first_row);
      copy_v(place, first_key_of<C>(task, 0));
#pragma unroll 1
      for (int tile = 1; tile < task.tiles; ++tile) {
        copy_k(place, first_key_of<C>(task, tile));
        copy_v(place, first_key_of<C>(task, tile));
      }
    }
  }

 private:
  using S = Shared<C>;

  /// Every tile of 64 columns, from row `first` on.
  static void copy_columns(const device::TensorMap& map, unsigned char* s_tile, int column_bytes,
                           device::Mbarrier& full, int first, int head, int batch) {
    device::arrive_and_expect(full, column_tiles(C) * column_bytes);
#pragma unroll
    for (int column = 0; column < column_tiles(C); ++column)
      device::copy_tensor(map, s_tile + column * column_bytes, full, column * 64, first, head,
                          batch);
  }

  void copy_q(const TaskPlace& place, int first_row) {
#pragma unroll
    for (int consumer = 0; consumer < C.consumers; ++consumer) {
      device::wait_suspended(barriers_.q_empty[q_ring_.stage][consumer], q_ring_.parity ^ 1);
      copy_columns(params_.q_map, S::q(q_ring_.stage, consumer), q_column_bytes,
                   barriers_.q_full[q_ring_.stage][consumer], first_row + consumer * warpgroup_rows,
                   place.head, place.batch);
    }
    q_ring_.advance();
  }
  void copy_k(const TaskPlace& place, int key) {
    device::wait_suspended(barriers_.k_empty[k_ring_.stage], k_ring_.parity ^ 1);
    copy_columns(params_.k_map, S::k(k_ring_.stage), S::kv_column_bytes,
                 barriers_.k_full[k_ring_.stage], key, place.kv_head, place.batch);
    k_ring_.advance();
  }
  void copy_v(const TaskPlace& place, int key) {
    device::wait_suspended(barriers_.v_empty[v_ring_.stage], v_ring_.parity ^ 1);
    copy_columns(params_.v_map, S::v(v_ring_.stage), S::kv_column_bytes,
                 barriers_.v_full[v_ring_.stage], key, place.kv_head, place.batch);
    v_ring_.advance();
  }

  const Params& params_;
  Barriers<C>& barriers_ = S::barriers();
  device::Ring<C.q_stages> q_ring_;
  device::Ring<C.stages> k_ring_, v_ring_;
};

}  // namespace flashcore::forward_tma_wgmma
