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
  // [batch, heads, seq, head_dim] each, in boxes of 64 columns, swizzled by 128 bytes: by 64 rows
  // of q, block_kv of k and v.
  device::TensorMap q_map, k_map, v_map;
  unsigned tasks = 0;   // of block_q rows of a head
  unsigned blocks = 0;  // that take tasks, or clusters
};

}  // namespace flashcore::forward_tma_wgmma
