// forward_cp_async's Config: what the tuner may choose, and what follows from it.
#pragma once

#include "device/element.h"

namespace flashcore::forward_cp_async {

using device::Element;

struct Config {
  Element element = Element::float16;
  int head_dim = 64;       // capacity: a Problem's head_dim is at most this; a multiple of 16
  int block_q = 32;        // query rows of a block, a multiple of 16
  int block_kv = 128;      // keys of a tile, a multiple of 16 times key_groups
  int key_groups = 4;      // warps that share 16 query rows, each with its part of every tile
  int producer_warps = 4;  // warps that only load; 0: those that compute also load
  int stages = 2;          // tiles of keys and values in shared memory
};

template <typename C, typename Visit>
constexpr void for_each_field(C& config, Visit&& visit) {
  visit("element", config.element);
  visit("head_dim", config.head_dim);
  visit("block_q", config.block_q);
  visit("block_kv", config.block_kv);
  visit("key_groups", config.key_groups);
  visit("producer_warps", config.producer_warps);
  visit("stages", config.stages);
}

enum class Role { producer, consumer };

/// Rows and columns of a fragment.
inline constexpr int edge = 16;
/// Elements of 16 bytes.
inline constexpr int vector = 8;

constexpr bool specialised(const Config& config) {
  return config.producer_warps > 0;
}
constexpr int row_tiles(const Config& config) {
  return config.block_q / edge;
}
constexpr int consumer_warps(const Config& config) {
  return row_tiles(config) * config.key_groups;
}
constexpr int warps(const Config& config) {
  return consumer_warps(config) + config.producer_warps;
}
constexpr int threads(const Config& config) {
  return warps(config) * 32;
}
/// Threads that load: the producers, or everyone.
constexpr int loading_threads(const Config& config) {
  return (specialised(config) ? config.producer_warps : warps(config)) * 32;
}

/// A consumer warp has 16 rows of the block and, of each tile, these keys of its group.
constexpr int group_keys(const Config& config) {
  return config.block_kv / config.key_groups;
}
constexpr int row_tile_of(const Config& config, int consumer) {
  return consumer % row_tiles(config);
}
constexpr int key_group_of(const Config& config, int consumer) {
  return consumer / row_tiles(config);
}

/// Steps of Q.K over head_dim, and of P.V over keys, whose operands the compiler may load at once:
/// beside a wide output there are no registers for all.
constexpr int unrolled_columns(const Config& config) {
  return config.head_dim > 128 ? 2 : config.head_dim / edge;
}
constexpr int unrolled_keys(const Config& config) {
  return config.head_dim > 128 ? 1 : group_keys(config) / edge;
}

/// In the softmax two lanes share a row of the warp's 16, four keys in turn.
inline constexpr int lanes_per_row = 2;
constexpr int keys_per_lane(const Config& config) {
  return group_keys(config) / lanes_per_row;
}
/// The key of the group that a lane of a row holds at a place.
constexpr int lane_key(int row_lane, int place) {
  return (place / 4 * lanes_per_row + row_lane) * 4 + place % 4;
}

}  // namespace flashcore::forward_cp_async
