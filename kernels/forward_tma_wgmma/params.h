// forward_tma_wgmma's arguments.
#pragma once

#include "device/attention/narrow_call.h"
#include "device/tensor_map.h"
#include "forward_tma_wgmma/config.h"
#include "forward_tma_wgmma/deal.h"

namespace flashcore::forward_tma_wgmma {

/// What the first copies need lies side by side: a launch finds the cache of its arguments empty.
struct Params : device::NarrowParams {
  device::Divisor head_tiles;   // of a batch's query heads: each alone, unless a tile packs them
  device::Divisor group_tiles;  // of a key head's
  device::Divisor call_tiles;   // of the call's
  int tile_heads_log2 = 0;
  int warpgroup_positions = 0;  // of its 64 rows
  unsigned tasks = 0;           // of block_q rows
  unsigned blocks = 0;          // that take tasks, or clusters
  // Boxes of 64 columns, swizzled by 128 bytes: of q [batch, seq, heads, head_dim] by 64 rows, a
  // tile's heads at one position after the other; of k and v [batch, heads, seq, head_dim] by
  // block_kv.
  device::TensorMap q_map, k_map, v_map;
};

/// The same for blocks that stay for task after task.
struct DealtParams : Params {
  int missing_positions = 0;  // of a head's first task, before its first row
  Deal deal;
};

/// What kernels of a Config read: the fewer arguments, the sooner a launch is under way.
template <bool Stays>
struct ParamsOfBlocks {
  using Type = Params;
};
template <>
struct ParamsOfBlocks<true> {
  using Type = DealtParams;
};
template <Config C>
using ParamsOf = typename ParamsOfBlocks<stays(C)>::Type;

}  // namespace flashcore::forward_tma_wgmma
