// forward_tma_wgmma's arguments.
#pragma once

#include "device/attention/narrow_call.h"
#include "device/tensor_map.h"

namespace flashcore::forward_tma_wgmma {

/// The task that a block takes in a round: forth through the blocks in one and back in the next, so
/// that whoever has a round's longest has the next one's shortest. `blocks` by reference: a kernel
/// reads it among its arguments each time, rather than keep it.
constexpr unsigned task_of_round(unsigned round, unsigned block, const unsigned& blocks) {
  return round * blocks + (round % 2 == 0 ? block : blocks - 1 - block);
}

struct Params : device::NarrowParams {
  // Boxes of 64 columns, swizzled by 128 bytes: of q [batch, seq, heads, head_dim] by 64 rows, a
  // tile's heads at one position after the other; of k and v [batch, heads, seq, head_dim] by
  // block_kv.
  device::TensorMap q_map, k_map, v_map;
  device::Divisor head_tiles;   // of a batch's query heads: each alone, unless a tile packs them
  device::Divisor group_tiles;  // of a key head's
  int tile_heads_log2 = 0;
  int warpgroup_positions = 0;  // of its 64 rows
  unsigned tasks = 0;           // of block_q rows
  unsigned blocks = 0;          // that take tasks, or clusters
};

}  // namespace flashcore::forward_tma_wgmma
