// forward_tma_wgmma's Config: what the tuner may choose, and what follows from it.
#pragma once

#include "device/element.h"

namespace flashcore::forward_tma_wgmma {

using device::Element;

struct Config {
  Element element = Element::float16;
  int head_dim = 64;       // capacity: 64, 128 or 256; a Problem's head_dim is at most this
  int consumers = 2;       // warpgroups that multiply, 64 query rows each
  int block_kv = 128;      // keys of a tile
  int stages = 2;          // tiles of K, and of V, in shared memory
  bool take_turns = true;  // two consumers: one multiplies while the other weighs
};

template <typename C, typename Visit>
constexpr void for_each_field(C& config, Visit&& visit) {
  visit("element", config.element);
  visit("head_dim", config.head_dim);
  visit("consumers", config.consumers);
  visit("block_kv", config.block_kv);
  visit("stages", config.stages);
  visit("take_turns", config.take_turns);
}

inline constexpr int warpgroup_rows = 64;

constexpr int threads(const Config& config) {
  return 128 * (config.consumers + 1);
}
constexpr int block_q(const Config& config) {
  return warpgroup_rows * config.consumers;
}

/// Tiles lie in shared memory as columns of 64 elements, 128 bytes, which a copy swizzles.
constexpr int column_tiles(const Config& config) {
  return config.head_dim / 64;
}
constexpr int dot_steps(const Config& config) {
  return config.head_dim / 16;
}
constexpr int key_steps(const Config& config) {
  return config.block_kv / 16;
}

/// Registers of a thread, once the warpgroups have divided the file.
constexpr int consumer_registers(const Config& config) {
  return config.consumers == 1 ? 256 : config.consumers == 2 ? 240 : 160;
}
constexpr int producer_registers(const Config& config) {
  return config.consumers <= 2 ? 24 : 32;
}

}  // namespace flashcore::forward_tma_wgmma
