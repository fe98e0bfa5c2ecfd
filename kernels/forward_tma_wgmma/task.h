// Which part of the work is whose: a block's rows, and the keys that it and its warpgroups look at.
#pragma once

#include "device/ptx/opaque.h"
#include "device/ptx/thread.h"
#include "forward_tma_wgmma/config.h"
#include "forward_tma_wgmma/params.h"

namespace flashcore::forward_tma_wgmma {

using device::Keys;
using device::keys_between;
using device::last_row;
using device::seq_q;

struct BlockTask {
  int first_row;  // of block_q
  int batch, head, kv_head;
  Keys keys;  // that its rows see between them
  int tiles;  // of block_kv keys, from keys.begin on
};

/// Blocks count through query blocks, then heads and batches, so that neighbours share K and V. The
/// last queries come first: under a causal mask they take longest.
template <Config C>
BlockTask block_task(const Params& params) {
  const auto by_q_block = params.q_blocks.divide(static_cast<unsigned>(device::block_index()));
  const auto by_head = params.heads_q.divide(by_q_block.quotient);
  const unsigned q_block = params.q_blocks.value - 1 - by_q_block.remainder;
  const int first_row = static_cast<int>(q_block) * block_q(C);
  const Keys keys = keys_between(params, first_row, last_row(params, first_row, block_q(C)));
  return {.first_row = first_row,
          .batch = static_cast<int>(by_head.quotient),
          .head = static_cast<int>(by_head.remainder),
          .kv_head = static_cast<int>(params.group_size.divide(by_head.remainder).quotient),
          .keys = keys,
          .tiles = keys.empty() ? 0 : (keys.end - keys.begin + C.block_kv - 1) / C.block_kv};
}

/// Tiles are taken from the last to the first: those that a causal mask crosses come first, and the
/// steady rest needs no comparisons.
template <Config C>
constexpr int first_key_of(const BlockTask& task, int tile) {
  return task.keys.begin + (task.tiles - 1 - tile) * C.block_kv;
}

}  // namespace flashcore::forward_tma_wgmma
