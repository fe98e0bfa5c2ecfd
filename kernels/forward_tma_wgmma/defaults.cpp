#include "forward_tma_wgmma/defaults.h"

#include <optional>

#include "family/forward_call.h"
#include "forward_tma_wgmma/grid.h"

namespace flashcore::forward_tma_wgmma {
namespace {

using core::GpuLimits;
using core::Problem;

/// The shapes of a head_dim's Configs, by what they are for (README.md has the measurements).
struct Shapes {
  Config many;          // rows enough for every multiprocessor
  Config long_rows;     // the same with many keys to each row
  Config short_rows;    // the same with few, and no mask
  Config few;           // fewer
  Config split;         // so few that two blocks can share each row's keys
  Config split_masked;  // the same with so few keys that a mask hides half of a block's
  // The keys from which on a row is of its kind; 0 where no Config is for that kind.
  std::int64_t long_from = 0;
  std::int64_t long_from_masked = 0;  // the same where a mask hides some
  std::int64_t short_from = 0;
};

Shapes shapes(int head_dim) {
  if (head_dim == 64)
    return {.many = {.consumers = 2, .block_kv = 128, .stages = 3, .overlap_output = 0},
            .long_rows = {.consumers = 3, .block_kv = 128, .stages = 3, .overlap_output = 0},
            .short_rows = {.consumers = 4, .block_kv = 64, .stages = 3, .overlap_output = 0},
            .few = {.consumers = 1, .block_kv = 128, .stages = 2},
            .split = {.consumers = 1, .block_kv = 128, .stages = 4, .kv_splits = 2},
            .split_masked = {.consumers = 1, .block_kv = 64, .stages = 4, .kv_splits = 2},
            .long_from = 2048,
            .long_from_masked = 1024,
            .short_from = 512};
  if (head_dim == 128) {
    const Config split{.consumers = 1, .block_kv = 128, .stages = 2, .kv_splits = 2};
    return {.many = {.consumers = 2, .block_kv = 128, .stages = 2, .q_stages = 2},
            .long_rows = {.consumers = 2, .block_kv = 128, .stages = 3},
            .short_rows = {},
            .few = {.consumers = 1, .block_kv = 128, .stages = 2},
            .split = split,
            .split_masked = split,
            .long_from = 512,
            .long_from_masked = 1024};
  }
  const Config split{.consumers = 1, .block_kv = 64, .stages = 2, .kv_splits = 2};
  return {.many = {.consumers = 2, .block_kv = 64, .stages = 2},
          .long_rows = {},
          .short_rows = {},
          .few = {.consumers = 1, .block_kv = 64, .stages = 2},
          .split = split,
          .split_masked = split};
}

bool has_mask(const Problem& problem) {
  const device::Band band = problem.band();
  return band.high < problem.seq_kv - 1 || band.low > 1 - problem.seq_q;
}

/// Whether rows have so many keys; of 0, none have.
bool reaches(std::int64_t seq_kv, std::int64_t from) {
  return from > 0 && seq_kv >= from;
}

/// Those beyond the sequences' ends included.
std::int64_t computed_rows(const Problem& problem, const Config& config) {
  return tasks_of(problem, block_q(config)) * block_q(config);
}

/// The Config for rows enough for every multiprocessor.
const Config& many_rows(const Problem& problem, const Shapes& shape, const GpuLimits& gpu) {
  const auto enough = [&](const Config& config) {
    return tasks_of(problem, block_q(config)) >= std::int64_t{gpu.multiprocessors} * 2;
  };
  const bool masked = has_mask(problem);
  if (reaches(problem.seq_kv, masked ? shape.long_from_masked : shape.long_from))
    return enough(shape.long_rows) ? shape.long_rows : shape.many;
  const bool shorts =
      !masked && reaches(problem.seq_kv, shape.short_from) && enough(shape.short_rows) &&
      computed_rows(problem, shape.short_rows) <= computed_rows(problem, shape.many);
  return shorts ? shape.short_rows : shape.many;
}

/// The same for so few keys that one small tile holds them.
constexpr int tiny_block_kv = 64;
Config tiny(const Config& few) {
  Config config = few;
  config.block_kv = tiny_block_kv;
  config.stages = 1;
  return config;
}

/// Whether two blocks for each task find multiprocessors, and something to do.
bool can_split(const Problem& problem, std::int64_t tasks, const GpuLimits& gpu) {
  return tasks * 2 <= gpu.multiprocessors && problem.seq_kv > 128;
}

/// Of tiles that hold all query heads of a key head at a few positions.
Config packed(Config config, int kv_splits) {
  config.pack_heads = 1;
  config.kv_splits = kv_splits;
  return config;
}

/// For queries so few that a tile holds several heads', or one tile holds all of a head's, whose
/// time is that of reading K and V.
std::optional<Config> few_queries(const Problem& problem, const Shapes& shape,
                                  const GpuLimits& gpu) {
  const std::int64_t tasks = tasks_of(problem, warpgroup_rows, packed_heads(problem));
  const std::int64_t unpacked = tasks_of(problem, warpgroup_rows);
  const bool one_tile_each = problem.seq_q <= warpgroup_rows && problem.seq_kv >= 1024;
  if (tasks > unpacked || (tasks == unpacked && !one_tile_each)) return std::nullopt;
  // Clusters larger than two find no place on some of the multiprocessors.
  for (const int kv_splits : {8, 4})
    if (tasks * kv_splits * 4 <= std::int64_t{gpu.multiprocessors} * 3 &&
        problem.seq_kv >= std::int64_t{kv_splits} * shape.few.block_kv)
      return packed(shape.split, kv_splits);
  if (can_split(problem, tasks, gpu)) return packed(shape.split, 2);
  return packed(shape.few, 1);
}

}  // namespace

int capacity(std::int64_t head_dim) {
  return head_dim <= 64 ? 64 : head_dim <= 128 ? 128 : 256;
}

Config default_for(const Problem& problem, const GpuLimits& gpu) {
  const int head_dim = capacity(problem.head_dim);
  const Shapes shape = shapes(head_dim);
  Config config = shape.few;
  // Two consumers' rows for three quarters of the multiprocessors are better than one's for all.
  const std::int64_t multiprocessors = gpu.multiprocessors;
  if (const auto few = few_queries(problem, shape, gpu)) {
    config = *few;
  } else if (tasks_of(problem, block_q(shape.many)) * 4 >= multiprocessors * 3) {
    config = many_rows(problem, shape, gpu);
  } else if (problem.seq_kv <= tiny_block_kv) {
    config = tiny(shape.few);
  } else if (can_split(problem, tasks_of(problem, warpgroup_rows), gpu)) {
    config = has_mask(problem) && problem.seq_kv <= 256 ? shape.split_masked : shape.split;
  }
  config.element = family::element_of(problem.dtype);
  config.head_dim = head_dim;
  return config;
}

std::vector<Config> all_defaults() {
  std::vector<Config> configs;
  for (const Element element : {Element::float16, Element::bfloat16})
    for (const int head_dim : {64, 128, 256}) {
      const Shapes shape = shapes(head_dim);
      std::vector<Config> of_head{shape.many, shape.few, tiny(shape.few), shape.split,
                                  packed(shape.few, 1)};
      for (const int kv_splits : {2, 4, 8}) of_head.push_back(packed(shape.split, kv_splits));
      if (shape.long_from > 0) of_head.push_back(shape.long_rows);
      if (head_dim == 64) of_head.push_back(shape.split_masked);
      if (shape.short_from > 0) of_head.push_back(shape.short_rows);
      for (Config& config : of_head) {
        config.element = element;
        config.head_dim = head_dim;
        configs.push_back(config);
      }
    }
  return configs;
}

}  // namespace flashcore::forward_tma_wgmma
