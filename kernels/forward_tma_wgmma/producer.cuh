// The warp that starts the copies: Q once, then K and V of one tile after the other into the ring.
#pragma once

#include "device/ptx/tensor_copy.h"
#include "device/tile/ring.h"
#include "forward_tma_wgmma/shared.cuh"
#include "forward_tma_wgmma/task.h"

namespace flashcore::forward_tma_wgmma {

/// Copies `rows` lines of every tile of 64 columns, from row `first` on.
template <Config C>
void copy_tile(const device::TensorMap& map, unsigned char* s_tile, int column_bytes,
               device::Mbarrier& full, int first, int head, int batch) {
  device::arrive_and_expect(full, column_tiles(C) * column_bytes);
#pragma unroll
  for (int column = 0; column < column_tiles(C); ++column)
    device::copy_tensor(map, s_tile + column * column_bytes, full, column * 64, first, head, batch);
}

/// One thread.
template <Config C>
void produce(const Params& params, const BlockTask& task) {
  using S = Shared<C>;
  auto& barriers = S::barriers();
  device::arrive_and_expect(barriers.q_full, column_tiles(C) * S::q_column_bytes);
#pragma unroll
  for (int column = 0; column < column_tiles(C); ++column)
#pragma unroll
    for (int group = 0; group < C.consumers; ++group)
      device::copy_tensor(params.q_map,
                          S::q() + column * S::q_column_bytes + group * warpgroup_rows * line_bytes,
                          barriers.q_full, column * 64, task.first_row + group * warpgroup_rows,
                          task.head, task.batch);

  device::Ring<C.stages> ring;
#pragma unroll 1
  for (int tile = 0; tile < task.tiles; ++tile) {
    const int key = first_key_of<C>(task, tile);
    device::wait_suspended(barriers.k_empty[ring.stage], ring.parity ^ 1);
    copy_tile<C>(params.k_map, S::k(ring.stage), S::kv_column_bytes, barriers.k_full[ring.stage],
                 key, task.kv_head, task.batch);
    device::wait_suspended(barriers.v_empty[ring.stage], ring.parity ^ 1);
    copy_tile<C>(params.v_map, S::v(ring.stage), S::kv_column_bytes, barriers.v_full[ring.stage],
                 key, task.kv_head, task.batch);
    ring.advance();
  }
}

}  // namespace flashcore::forward_tma_wgmma
