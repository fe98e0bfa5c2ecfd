// forward_wmma's Config: what the tuner may choose, and what follows from it.
#pragma once

#include "device/element.h"

namespace flashcore::forward_wmma {

using device::Element;

/// Which of the two products run on the tensor cores.
enum class Products { scores, scores_and_values };

struct Config {
  Element element = Element::float16;
  int head_dim = 64;  // capacity: a Problem's head_dim is at most this; a multiple of 16
  Products products = Products::scores_and_values;
  int block_q = 48;   // query rows of a block, a multiple of 16
  int block_kv = 32;  // keys of a tile, a multiple of 16
  int warps = 12;
  int stages = 2;  // tiles of keys and values in shared memory
};

template <typename C, typename Visit>
constexpr void for_each_field(C& config, Visit&& visit) {
  visit("element", config.element);
  visit("head_dim", config.head_dim);
  visit("products", config.products);
  visit("block_q", config.block_q);
  visit("block_kv", config.block_kv);
  visit("warps", config.warps);
  visit("stages", config.stages);
}

/// Rows and columns of a fragment.
inline constexpr int edge = 16;
/// Elements of 16 bytes.
inline constexpr int vector = 8;

constexpr int threads(const Config& config) {
  return config.warps * 32;
}
constexpr int row_tiles(const Config& config) {
  return config.block_q / edge;
}
constexpr int key_tiles(const Config& config) {
  return config.block_kv / edge;
}
constexpr int column_tiles(const Config& config) {
  return config.head_dim / edge;
}
/// Fragments of scores in a tile of keys, and of output.
constexpr int score_fragments(const Config& config) {
  return row_tiles(config) * key_tiles(config);
}
constexpr int out_fragments(const Config& config) {
  return row_tiles(config) * column_tiles(config);
}
/// Output fragments that a warp keeps in registers.
constexpr int out_fragments_per_warp(const Config& config) {
  return (out_fragments(config) + config.warps - 1) / config.warps;
}

/// Where in its matrix a fragment of scores or of output lies, fragments being counted down the
/// columns; in rows, and in keys or elements of head_dim.
struct FragmentPlace {
  int row;
  int column;
};
constexpr FragmentPlace fragment_place(const Config& config, int number) {
  return {.row = number % row_tiles(config) * edge, .column = number / row_tiles(config) * edge};
}

/// Lanes that share a row in the softmax: the most threads that the block has for it, of which
/// each takes as many groups of four keys as the others.
constexpr int row_lanes(const Config& config) {
  int lanes = 1;
  while (lanes < 32 && 2 * lanes * config.block_q <= threads(config) &&
         config.block_kv / 4 % (2 * lanes) == 0)
    lanes *= 2;
  return lanes;
}
constexpr int keys_per_lane(const Config& config) {
  return config.block_kv / row_lanes(config);
}
/// The key of the tile that a lane of a row holds at a place; four at a time lie side by side.
constexpr int lane_key(const Config& config, int row_lane, int place) {
  return (place / 4 * row_lanes(config) + row_lane) * 4 + place % 4;
}

/// Where the values' product is ordinary arithmetic, a lane of a row holds every row_lanes-th
/// vector of the output.
constexpr int vectors_per_lane(const Config& config) {
  const int vectors = config.head_dim / vector;
  return (vectors + row_lanes(config) - 1) / row_lanes(config);
}

/// Vectors of a tile of keys that a thread carries from global to shared memory, at most.
constexpr int vectors_per_thread(const Config& config) {
  return (config.block_kv * config.head_dim / vector + threads(config) - 1) / threads(config);
}

/// How many tiles ahead of the one computed with is loaded.
constexpr int prefetch_distance(const Config& config) {
  return config.stages - 1;
}

}  // namespace flashcore::forward_wmma
