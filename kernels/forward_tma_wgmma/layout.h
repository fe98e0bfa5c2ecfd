// forward_tma_wgmma's shared memory.
#pragma once

#include "forward_tma_wgmma/config.h"

namespace flashcore::forward_tma_wgmma {

/// Byte offsets. A tile is column_tiles(config) tiles of 64 columns, one after the other: lines of
/// 128 bytes, one for each row or key, swizzled. O takes the place of its rows of Q.
struct Layout {
  int s_q;         // Element [column tiles][block_q][64]
  int s_k;         // Element [stages][column tiles][block_kv][64]
  int s_v;         // likewise
  int tile_bytes;  // of K or V
  int s_barriers;  // Barriers
  int total;
};

/// Q's, and a full and an empty one for each stage of K and of V.
constexpr int barrier_count(const Config& config) {
  return 1 + 4 * config.stages;
}

constexpr Layout layout(const Config& config) {
  Layout map{};
  map.tile_bytes = config.block_kv * config.head_dim * 2;
  map.s_q = 0;
  map.s_k = block_q(config) * config.head_dim * 2;
  map.s_v = map.s_k + config.stages * map.tile_bytes;
  map.s_barriers = map.s_v + config.stages * map.tile_bytes;
  map.total = map.s_barriers + barrier_count(config) * 8;
  return map;
}

}  // namespace flashcore::forward_tma_wgmma
