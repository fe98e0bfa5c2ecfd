#include "forward_tma_wgmma/defaults.h"

#include <limits>
#include <optional>
#include <vector>

#include "family/forward_call.h"
#include "forward_tma_wgmma/grid.h"

namespace flashcore::forward_tma_wgmma {
namespace {

using core::GpuLimits;
using core::Problem;

/// Of rows enough for every multiprocessor. README.md has the measurements.
struct ManyRows {
  Config config;
  double pace = 1;        // what each key takes of a row, beside others of the head_dim
  std::int64_t from = 0;  // keys that a row has at least
  bool takes_masked = true;
};

/// A head_dim's Configs, by what they are for.
struct Shapes {
  std::vector<ManyRows> many;
  Config few;           // too few rows for two consumers on most multiprocessors
  Config split;         // so few that two blocks can share each row's keys
  Config split_masked;  // the same with so few keys that a mask hides half of a block's
};

Shapes shapes(int head_dim) {
  if (head_dim == 64) {
    constexpr std::int64_t short_rows = 512;  // shorter ones wait for memory
    return {.many = {{.config = {.consumers = 2, .block_kv = 128, .stages = 3, .overlap_output = 0},
                      .pace = 1.14},
                     {.config = {.consumers = 3, .block_kv = 128, .stages = 3, .overlap_output = 0},
                      .from = short_rows},
                     {.config = {.consumers = 4, .block_kv = 64, .stages = 3, .overlap_output = 0},
                      .pace = 1.06,
                      .from = short_rows,
                      .takes_masked = false}},
            .few = {.consumers = 1, .block_kv = 128, .stages = 2},
            .split = {.consumers = 1, .block_kv = 128, .stages = 4, .kv_splits = 2},
            .split_masked = {.consumers = 1, .block_kv = 64, .stages = 4, .kv_splits = 2}};
  }
  if (head_dim == 128) {
    const Config split{.consumers = 1, .block_kv = 128, .stages = 2, .kv_splits = 2};
    return {.many = {{.config = {.consumers = 2, .block_kv = 128, .stages = 3}}},
            .few = {.consumers = 1, .block_kv = 128, .stages = 2},
            .split = split,
            .split_masked = split};
  }
  const Config split{.consumers = 1, .block_kv = 64, .stages = 2, .kv_splits = 2};
  return {.many = {{.config = {.consumers = 2, .block_kv = 64, .stages = 2}}},
          .few = {.consumers = 1, .block_kv = 64, .stages = 2},
          .split = split,
          .split_masked = split};
}

bool has_mask(const Problem& problem) {
  const device::Band band = problem.band();
  return band.high < problem.seq_kv - 1 || band.low > 1 - problem.seq_q;
}

/// The Config for rows enough for every multiprocessor: the one whose longest share is done first.
const Config& many_rows(const Problem& problem, const std::vector<ManyRows>& many,
                        const GpuLimits& gpu) {
  const auto time = [&](const ManyRows& rows) {
    if (problem.seq_kv < rows.from || (has_mask(problem) && !rows.takes_masked))
      return std::numeric_limits<double>::infinity();
    return longest_share(problem, rows.config, gpu) * block_q(rows.config) * rows.pace;
  };
  const ManyRows* best = &many.front();
  for (const ManyRows& rows : many)
    if (time(rows) < time(*best)) best = &rows;
  return best->config;
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
  const Config& two = shape.many.front().config;
  if (const auto few = few_queries(problem, shape, gpu)) {
    config = *few;
  } else if (tasks_of(problem, block_q(two)) * 4 >= multiprocessors * 3) {
    config = many_rows(problem, shape.many, gpu);
  } else if (problem.seq_kv <= tiny_block_kv) {
    config = tiny(shape.few);
  } else if (can_split(problem, tasks_of(problem, warpgroup_rows), gpu)) {
    config = has_mask(problem) && problem.seq_kv <= 256 ? shape.split_masked : shape.split;
  }
  config.element = family::element_of(problem.dtype);
  config.head_dim = head_dim;
  if (config.kv_splits == 1 && tasks_of(problem, config) <= multiprocessors) config.persistent = 0;
  return config;
}

std::vector<Config> all_defaults() {
  std::vector<Config> configs;
  for (const Element element : {Element::float16, Element::bfloat16})
    for (const int head_dim : {64, 128, 256}) {
      const Shapes shape = shapes(head_dim);
      std::vector<Config> of_head{shape.few, tiny(shape.few), packed(shape.few, 1)};
      for (const ManyRows& rows : shape.many) of_head.push_back(rows.config);
      for (std::size_t i = 0, count = of_head.size(); i < count; ++i) {
        of_head.push_back(of_head[i]);
        of_head.back().persistent = 0;
      }
      of_head.push_back(shape.split);
      for (const int kv_splits : {2, 4, 8}) of_head.push_back(packed(shape.split, kv_splits));
      if (head_dim == 64) of_head.push_back(shape.split_masked);
      for (Config& config : of_head) {
        config.element = element;
        config.head_dim = head_dim;
        configs.push_back(config);
      }
    }
  return configs;
}

}  // namespace flashcore::forward_tma_wgmma
