// Which part of the work is whose.
#pragma once

#include "device/ptx/opaque.h"
#include "device/ptx/thread.h"
#include "forward_mma/config.h"
#include "forward_mma/params.h"

namespace flashcore::forward_mma {

struct BlockTask {
  int first_row;  // of block_q
  int split;
  int batch, head, kv_head;
};

/// Blocks count through query blocks, then splits, heads and batches, so that neighbours share K
/// and V. The last queries come first: under a causal mask they take longest.
///
/// Asked for again where the tiles are done, it is computed again instead of kept in registers.
template <Config C>
BlockTask block_task(const Params& params) {
  const auto index = device::opaque(static_cast<unsigned>(device::block_index()));
  const auto by_q_block = params.q_blocks.divide(index);
  unsigned rest = by_q_block.quotient;
  unsigned split = 0;
  if constexpr (C.kv_splits > 1) {
    const auto by_split = params.kv_splits.divide(rest);
    split = by_split.remainder;
    rest = by_split.quotient;
  }
  const auto by_head = params.heads_q.divide(rest);
  const unsigned q_block = params.q_blocks.value - 1 - by_q_block.remainder;
  return {.first_row = static_cast<int>(q_block) * block_q(C),
          .split = static_cast<int>(split),
          .batch = static_cast<int>(by_head.quotient),
          .head = static_cast<int>(by_head.remainder),
          .kv_head = static_cast<int>(params.group_size.divide(by_head.remainder).quotient)};
}

/// Where the workspace holds what this block's split found for a row.
inline long long partial_index(const Params& params, const BlockTask& task, int row) {
  const long long head = static_cast<long long>(task.batch) * params.heads_q.value + task.head;
  return task.split * params.rows + head * seq_q(params) + row;
}

struct WarpPlace {
  int lane;
  int row_warp;  // which of the block's rows
  int kv_warp;   // which of a tile's keys
};

template <Config C>
WarpPlace warp_place() {
  const auto thread = device::opaque(static_cast<unsigned>(device::thread_index()));
  const int warp = static_cast<int>(thread / 32);
  const int lane = static_cast<int>(thread % 32);
  if constexpr (C.kv_warps == 1) return {lane, warp, 0};
  return {lane, warp % C.row_warps, warp / C.row_warps};
}

}  // namespace flashcore::forward_mma
