// forward_mma's Config: what the tuner may choose, and what follows from it.
#pragma once

#include "device/element.h"

namespace flashcore::forward_mma {

using device::Element;

struct Config {
  Element element = Element::float16;
  int head_dim = 64;           // capacity: a Problem's head_dim is at most this
  int rows_per_warp = 32;      // query rows that a warp multiplies with each key it reads: 16, 32
  int row_warps = 4;           // warps side by side along the queries
  int kv_warps = 1;            // warps that share the same rows, each with its part of every tile
  bool share_weights = false;  // those warps weigh for each other, and divide the output's columns
  int block_kv = 64;           // keys of a tile
  int stages = 2;              // tiles in shared memory; 1 only with share_weights
  bool half_tiles = true;      // a half's weights are computed under the next half's products
  bool q_in_registers = true;  // Q's fragments are kept, or read again for every tile
  int blocks_per_multiprocessor = 2;  // what the compiler makes room for in the register file
  int kv_splits = 1;  // blocks that share the same rows, each with its part of the keys
};

template <typename C, typename Visit>
constexpr void for_each_field(C& config, Visit&& visit) {
  visit("element", config.element);
  visit("head_dim", config.head_dim);
  visit("rows_per_warp", config.rows_per_warp);
  visit("row_warps", config.row_warps);
  visit("kv_warps", config.kv_warps);
  visit("share_weights", config.share_weights);
  visit("block_kv", config.block_kv);
  visit("stages", config.stages);
  visit("half_tiles", config.half_tiles);
  visit("q_in_registers", config.q_in_registers);
  visit("blocks_per_multiprocessor", config.blocks_per_multiprocessor);
  visit("kv_splits", config.kv_splits);
}

constexpr int threads(const Config& config) {
  return 32 * config.row_warps * config.kv_warps;
}
constexpr int block_q(const Config& config) {
  return config.rows_per_warp * config.row_warps;
}

/// Keys of a tile that one warp multiplies.
constexpr int warp_kv(const Config& config) {
  return config.block_kv / config.kv_warps;
}

/// Tiles of K that are on their way when an iteration begins.
constexpr int tiles_ahead(const Config& config) {
  return config.stages > 1 ? config.stages - 1 : 1;
}

/// Keys whose scores a warp holds at a time.
constexpr int step_kv(const Config& config) {
  return config.half_tiles ? warp_kv(config) / 2 : warp_kv(config);
}

/// Chunks of 8 elements (16 bytes) in a row.
constexpr int chunks(const Config& config) {
  return config.head_dim / 8;
}

/// Rows that the block's threads copy at a time, a chunk each: a multiple of 8, or else a power of
/// two, as device::Swizzle::down asks of what lies between a thread's rows.
constexpr int rows_per_pass(const Config& config) {
  const int rows = threads(config) / chunks(config);
  if (rows >= 8) return rows / 8 * 8;
  return rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
}

/// A warp's tiles of mma.m16n8k16: 16 rows; 8 keys; 16 elements of head_dim that are summed over; 8
/// columns of the output.
constexpr int row_tiles(const Config& config) {
  return config.rows_per_warp / 16;
}
constexpr int key_tiles(int keys) {
  return keys / 8;
}
constexpr int dot_steps(const Config& config) {
  return config.head_dim / 16;
}
constexpr int out_tiles(const Config& config) {
  return config.head_dim / 8 / (config.share_weights ? config.kv_warps : 1);
}

/// The same Config for the compiler: how many splits there are is known at the launch alone.
constexpr Config compiled(Config config) {
  config.kv_splits = config.kv_splits > 1 ? 2 : 1;
  return config;
}

}  // namespace flashcore::forward_mma
