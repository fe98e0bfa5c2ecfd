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
  Config many;       // rows enough for every multiprocessor
  Config long_rows;  // the same with many keys to each row
  Config few;        // fewer
  Config split;      // so few that two blocks can share each row's keys
};

Shapes shapes(int head_dim) {
  if (head_dim == 64)
    return {.many = {.consumers = 2, .block_kv = 128, .stages = 3, .q_stages = 2},
            .long_rows = {.consumers = 3, .block_kv = 96, .stages = 3},
            .few = {.consumers = 1, .block_kv = 128, .stages = 2},
            .split = {.consumers = 1, .block_kv = 64, .stages = 4, .kv_splits = 2}};
  if (head_dim == 128) {
    const Config many{.consumers = 2, .block_kv = 128, .stages = 2, .q_stages = 2};
    return {.many = many,
            .long_rows = many,
            .few = {.consumers = 1, .block_kv = 128, .stages = 2},
            .split = {.consumers = 1, .block_kv = 128, .stages = 2, .kv_splits = 2}};
  }
  const Config many{.consumers = 2, .block_kv = 64, .stages = 2};
  return {.many = many,
          .long_rows = many,
          .few = {.consumers = 1, .block_kv = 64, .stages = 2},
          .split = {.consumers = 1, .block_kv = 64, .stages = 2, .kv_splits = 2}};
}

/// From how many keys on a third consumer pays: tiles that a mask crosses take it longer.
std::int64_t long_from(const Problem& problem) {
  const device::Band band = problem.band();
  const bool all_visible = band.high >= problem.seq_kv - 1 && band.low <= 1 - problem.seq_q;
  return all_visible ? 2048 : 8192;
}

/// The same for so few keys that one small tile holds them.
constexpr int tiny_block_kv = 64;
Config tiny(const Config& few) {
  Config config = few;
  config.block_kv = tiny_block_kv;
  config.stages = 1;
  return config;
}

/// Whether there are as many multiprocessors, and keys enough for each block.
bool can_split(const Problem& problem, std::int64_t tasks, int kv_splits, const Shapes& shape,
               const GpuLimits& gpu) {
  return tasks * kv_splits <= gpu.multiprocessors &&
         problem.seq_kv >= std::int64_t{2} * kv_splits * shape.few.block_kv;
}

/// Clusters of this size have lost everywhere but where a few tasks have many keys each.
constexpr int large_cluster = 8;

/// Of tiles that pack heads.
Config packed(Config config) {
  config.pack_heads = 1;
  return config;
}
Config packed_split(const Shapes& shape) {
  Config config = packed(shape.few);
  config.kv_splits = large_cluster;
  return config;
}

/// The Config whose tiles pack a group's heads, where such tiles are fewer.
std::optional<Config> packed_for(const Problem& problem, const Shapes& shape,
                                 const GpuLimits& gpu) {
  const std::int64_t tasks = tasks_of(problem, warpgroup_rows, packed_heads(problem));
  if (tasks >= tasks_of(problem, warpgroup_rows)) return std::nullopt;
  // A processing cluster's multiprocessors are no multiple of eight: some are left over.
  if (tasks * large_cluster * 4 <= std::int64_t{gpu.multiprocessors} * 3 &&
      can_split(problem, tasks, large_cluster, shape, gpu))
    return packed_split(shape);
  if (can_split(problem, tasks, shape.split.kv_splits, shape, gpu)) return packed(shape.split);
  return packed(shape.few);
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
  if (const auto packs = packed_for(problem, shape, gpu)) {
    config = *packs;
  } else if (tasks_of(problem, block_q(shape.many)) * 4 >= multiprocessors * 3) {
    const bool enough = tasks_of(problem, block_q(shape.long_rows)) >= multiprocessors * 2;
    config = enough && problem.seq_kv >= long_from(problem) ? shape.long_rows : shape.many;
  } else if (problem.seq_kv <= tiny_block_kv) {
    config = tiny(shape.few);
  } else if (can_split(problem, tasks_of(problem, block_q(shape.split)), shape.split.kv_splits,
                       shape, gpu)) {
    config = shape.split;
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
      std::vector<Config> of_head{shape.many,         shape.few,         tiny(shape.few),
                                  shape.split,        packed(shape.few), packed(shape.split),
                                  packed_split(shape)};
      if (head_dim == 64) of_head.push_back(shape.long_rows);
      for (Config& config : of_head) {
        config.element = element;
        config.head_dim = head_dim;
        configs.push_back(config);
      }
    }
  return configs;
}

}  // namespace flashcore::forward_tma_wgmma
