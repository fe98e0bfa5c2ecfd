// forward_tma_wgmma's Config: what the tuner may choose, and what follows from it.
#pragma once

#include "device/element.h"

namespace flashcore::forward_tma_wgmma {

using device::Element;

struct Config {
  Element element = Element::float16;
  int head_dim = 64;   // capacity: 64, 128 or 256; a Problem's head_dim is at most this
  int consumers = 2;   // warpgroups that multiply, 64 query rows each
  int block_kv = 128;  // keys of a tile
  int stages = 2;      // tiles of K, and of V, in shared memory
  int q_stages = 1;    // blocks of Q in shared memory
  int kv_splits = 1;   // blocks of a cluster that share a task's keys: 1, 2, 4 or 8
  int pack_heads = 0;  // a tile's rows are those of a key head's query heads at few positions
  /// A tile is weighed beside the product of the one before, with registers for both tiles'
  /// weights; otherwise after it.
  int overlap_output = 1;
  /// Blocks stay for task after task; otherwise each takes one, by a shorter program. Those of a
  /// cluster never stay.
  int persistent = 1;
};

template <typename C, typename Visit>
constexpr void for_each_field(C& config, Visit&& visit) {
  visit("element", config.element);
  visit("head_dim", config.head_dim);
  visit("consumers", config.consumers);
  visit("block_kv", config.block_kv);
  visit("stages", config.stages);
  visit("q_stages", config.q_stages);
  visit("kv_splits", config.kv_splits);
  visit("pack_heads", config.pack_heads);
  visit("overlap_output", config.overlap_output);
  visit("persistent", config.persistent);
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

/// Consumers start their products one after the other: while one's run, others weigh.
constexpr bool take_turns(const Config& config) {
  return config.consumers > 1;
}
/// A turn ends when its products are started, not when they are done: with four consumers there is
/// always one that waits.
constexpr bool passes_turn_early(const Config& config) {
  return config.consumers > 3;
}
constexpr bool overlaps_output(const Config& config) {
  return config.overlap_output != 0;
}
/// The weights of tiles that products run beside are in two sets of registers by turns; otherwise
/// they are moved, by a loop half as long, which one consumer's short rows are sooner through.
constexpr bool alternates_weights(const Config& config) {
  return overlaps_output(config) && config.consumers > 1;
}
constexpr bool stays(const Config& config) {
  return config.persistent != 0 && config.kv_splits == 1;
}
/// Tiles that a mask hides from all rows of a warpgroup are passed over by it alone.
constexpr bool passes_over_hidden(const Config& config) {
  return stays(config) && block_q(config) > config.block_kv;
}
/// Keys of a task's first tile that are weighed for a warpgroup that sees no more of it. At larger
/// head_dims weighing is too little of the work.
constexpr int narrow_keys(const Config& config) {
  return stays(config) && config.head_dim == 64 ? config.block_kv / 2 : config.block_kv;
}
/// Whether a mask leaves the warpgroups of a task with different work. They then take its rows in
/// another order each time.
constexpr bool rotates(const Config& config) {
  return config.consumers > 1 &&
         (passes_over_hidden(config) || narrow_keys(config) < config.block_kv);
}
/// First tiles are weighed relative to 0 where registers suffice for that and, should it not do,
/// the other way.
constexpr bool weighs_relative_to_zero(const Config& config) {
  return config.consumers == 1 ||
         (config.consumers == 2 && config.head_dim == 64 && !overlaps_output(config));
}
/// A short Q is kept in registers where there are enough: products then read half as much shared
/// memory.
constexpr bool q_in_registers(const Config& config) {
  return config.head_dim == 64 &&
         (config.consumers < 3 || (config.consumers == 3 && config.block_kv <= 64));
}

/// Whether the warpgroups divide the registers that the block has got at its launch: two have as
/// many as a thread can name.
constexpr bool divides_registers(const Config& config) {
  return config.consumers > 1;
}
/// Registers of a thread.
constexpr int consumer_registers(const Config& config) {
  constexpr int registers[] = {255, 232, 160, 112};
  return registers[config.consumers - 1];
}
constexpr int producer_registers(const Config& config) {
  return config.consumers <= 2 ? 40 : 32;
}
/// Of a file of 65536, in steps of 8 for each thread.
constexpr int launch_registers(const Config& config) {
  return 65536 / threads(config) / 8 * 8;
}
/// Whoever asks for more than there is waits for ever.
constexpr bool registers_suffice(const Config& config) {
  return !divides_registers(config) ||
         config.consumers * consumer_registers(config) + producer_registers(config) <=
             (config.consumers + 1) * launch_registers(config);
}

}  // namespace flashcore::forward_tma_wgmma
