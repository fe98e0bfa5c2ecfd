// forward_mma's shared memory.
#pragma once

#include "forward_mma/config.h"

namespace flashcore::forward_mma {

/// Byte offsets. Tile t of K lies at s_k + t % stages * tile_bytes, of V at s_v likewise. The rest
/// reuses that memory: Q where nothing is loaded yet, the results where all is read.
struct Layout {
  int s_q;  // Element [block_q][head_dim], swizzled
  int s_k;  // Element [stages][block_kv][head_dim], each tile swizzled
  int s_v;
  int tile_bytes;
  int s_weights;       // Element [2][block_q][block_kv], swizzled: with share_weights
  int weights_bytes;   // of one of the two
  int s_exchange;      // float [kv_warps][block_q]: with share_weights
  int s_out;           // Element [block_q][head_dim], swizzled: without kv_warps and splits
  int s_partial_out;   // float [kv_warps][block_q][partial_row]: with either
  int partial_row;     // floats, padded so that eight rows fall into different banks
  int s_partial_rows;  // WarpRow [kv_warps][block_q]
  int total;
};

/// What the warps of one group leave for one row.
struct WarpRow {
  float max;
  float sum;
  bool finite;  // every element of its partial output is
};

constexpr bool merges(const Config& config) {
  return (config.kv_warps > 1 && !config.share_weights) || config.kv_splits > 1;
}

/// Bytes from one kv_warp's part of a tile of V to the next one's: columns, or else keys.
constexpr int warp_v_offset(const Config& config) {
  return config.share_weights ? out_tiles(config) * 16 : warp_kv(config) * config.head_dim * 2;
}

constexpr int larger(int a, int b) {
  return a > b ? a : b;
}

constexpr Layout layout(const Config& config) {
  const int q_bytes = block_q(config) * config.head_dim * 2;
  Layout map{};
  map.tile_bytes = config.block_kv * config.head_dim * 2;
  // The last two tiles of V are filled after Q has gone on to registers.
  const bool q_shares = config.q_in_registers && config.stages > 1 && q_bytes <= 2 * map.tile_bytes;
  map.s_k = q_shares ? 0 : q_bytes;
  map.s_v = map.s_k + config.stages * map.tile_bytes;
  map.s_q = q_shares ? map.s_v + (config.stages - 2) * map.tile_bytes : 0;
  map.s_weights = map.s_v + config.stages * map.tile_bytes;
  map.weights_bytes = config.share_weights ? block_q(config) * config.block_kv * 2 : 0;
  map.s_exchange = map.s_weights + 2 * map.weights_bytes;
  map.total = map.s_exchange + (config.share_weights ? config.kv_warps * block_q(config) * 4 : 0);

  map.s_out = 0;
  map.partial_row = config.head_dim + 8;
  map.s_partial_out = 0;
  const int groups_rows = config.kv_warps * block_q(config);
  map.s_partial_rows = groups_rows * map.partial_row * 4;
  const int results = merges(config)
                          ? map.s_partial_rows + groups_rows * static_cast<int>(sizeof(WarpRow))
                          : q_bytes;
  map.total = larger(map.total, results);
  return map;
}

}  // namespace flashcore::forward_mma
