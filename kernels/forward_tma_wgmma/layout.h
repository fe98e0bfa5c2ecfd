// forward_tma_wgmma's shared memory.
#pragma once

#include "forward_tma_wgmma/config.h"

namespace flashcore::forward_tma_wgmma {

/// Byte offsets. A tile is column_tiles(config) tiles of 64 columns, one after the other: lines of
/// 128 bytes, one for each row or key, swizzled.
struct Layout {
  int s_q;            // Element [q_stages][consumers][column tiles][64][64]
  int s_k;            // Element [stages][column tiles][block_kv][64]
  int s_v;            // likewise
  int tile_bytes;     // of K or V
  int rows_bytes;     // of one consumer's rows of Q
  int s_parts;        // with kv_splits, of each consumer what others send it (merge.cuh)
  int s_assignments;  // of blocks that stay: Assignment [2][q_stages][consumers]
  int s_barriers;     // Barriers
  int total;
};

/// A full and an empty one for each place of a consumer's rows of Q, and for each stage of K and V;
/// one for each consumer's warp.
constexpr int barrier_count(const Config& config) {
  return 2 * config.q_stages * config.consumers + 4 * config.stages + 4 * config.consumers;
}

/// What a consumer gets to merge, as much as its 64 rows: sums of 32 bits, and of each row the
/// reference and the sum of its weights.
constexpr int parts_bytes(const Config& config) {
  return config.kv_splits > 1 ? warpgroup_rows * (config.head_dim * 4 + 8) : 0;
}

/// Of one Assignment, whose place no other's shares a vector with.
inline constexpr int assignment_bytes = 32;

constexpr Layout layout(const Config& config) {
  Layout map{};
  map.tile_bytes = config.block_kv * config.head_dim * 2;
  map.rows_bytes = warpgroup_rows * config.head_dim * 2;
  map.s_q = 0;
  map.s_k = config.q_stages * config.consumers * map.rows_bytes;
  map.s_v = map.s_k + config.stages * map.tile_bytes;
  map.s_parts = map.s_v + config.stages * map.tile_bytes;
  map.s_assignments = map.s_parts + config.consumers * parts_bytes(config);
  map.s_barriers = map.s_assignments +
                   (stays(config) ? 2 * config.q_stages * config.consumers * assignment_bytes : 0);
  map.total = map.s_barriers + barrier_count(config) * 8;
  return map;
}

}  // namespace flashcore::forward_tma_wgmma
