#include "forward_tma_wgmma/defaults.h"

#include <limits>
#include <optional>
#include <vector>

#include "family/forward_call.h"
#include "forward_tma_wgmma/grid.h"
#include "forward_tma_wgmma/pace.h"

namespace flashcore::forward_tma_wgmma {
namespace {

using core::GpuLimits;
using core::Problem;

/// A Config for tiles of one head's rows, and which calls it is for.
struct Candidate {
  Config config;
  Pace pace;
  std::int64_t from = 0;  // keys that a row has at least
  bool takes_masked = true;
};

/// A head_dim's Configs, by what they are for.
struct Shapes {
  std::vector<Candidate> candidates;
  Config packed;        // tiles of several heads' rows
  Config packed_split;  // the same, of which several blocks share each row's keys
};

/// Alone with its tasks, with several blocks for each, and staying for more: how a candidate of so
/// many consumers is launched.
void add_launches(const Candidate& candidate, int most_splits, std::vector<Candidate>& candidates) {
  Candidate launched = candidate;
  launched.config.persistent = 0;
  candidates.push_back(launched);
  if (candidate.config.consumers > 1) candidates.push_back(candidate);
  launched.config.persistent = 1;
  launched.config.stages = 2;
  for (int kv_splits = 2; kv_splits <= most_splits; kv_splits *= 2) {
    launched.config.kv_splits = kv_splits;
    candidates.push_back(launched);
  }
}

Shapes shapes(int head_dim) {
  Shapes shape;
  const auto add = [&](const Candidate& candidate, int most_splits) {
    add_launches(candidate, most_splits, shape.candidates);
  };
  if (head_dim == 64) {
    constexpr std::int64_t short_rows = 512;  // shorter ones wait for memory
    add({.config = {.consumers = 1, .block_kv = 128, .stages = 2}, .pace = {2.2, 0.7}}, 4);
    add({.config = {.consumers = 2, .block_kv = 128, .stages = 3, .overlap_output = 0},
         .pace = {2.95, 0.87}},
        4);
    add({.config = {.consumers = 3, .block_kv = 128, .stages = 3, .overlap_output = 0},
         .pace = {3.9, 1.15},
         .from = short_rows},
        1);
    // Of one task each they are no faster, and would be one more program to choose from.
    shape.candidates.push_back(
        {.config = {.consumers = 4, .block_kv = 64, .stages = 3, .overlap_output = 0},
         .pace = {2.8, 0.81},
         .from = short_rows,
         .takes_masked = false});
    shape.packed = {.consumers = 1, .block_kv = 128, .stages = 2};
    shape.packed_split = {.consumers = 1, .block_kv = 128, .stages = 4};
  } else if (head_dim == 128) {
    add({.config = {.consumers = 1, .block_kv = 128, .stages = 2}, .pace = {3.2, 0.94}}, 4);
    add({.config = {.consumers = 2, .block_kv = 128, .stages = 3}, .pace = {3.95, 1.3}}, 4);
    shape.packed = shape.packed_split = {.consumers = 1, .block_kv = 128, .stages = 2};
  } else {
    add({.config = {.consumers = 1, .block_kv = 64, .stages = 2}, .pace = {4.4, 0.91}}, 4);
    add({.config = {.consumers = 2, .block_kv = 64, .stages = 2}, .pace = {7.1, 1.29}}, 1);
    shape.packed = shape.packed_split = {.consumers = 1, .block_kv = 64, .stages = 2};
  }
  return shape;
}

bool has_mask(const Problem& problem) {
  const device::Band band = problem.band();
  return band.high < problem.seq_kv - 1 || band.low > 1 - problem.seq_q;
}

/// The Config whose last block is done first.
Config fastest(const Problem& problem, const std::vector<Candidate>& candidates,
               const GpuLimits& gpu) {
  const bool masked = has_mask(problem);
  const Candidate* best = &candidates.front();
  double best_us = std::numeric_limits<double>::infinity();
  for (const Candidate& candidate : candidates) {
    if (problem.seq_kv < candidate.from || (masked && !candidate.takes_masked)) continue;
    const double us = call_us(problem, candidate.config, candidate.pace, gpu);
    if (us < best_us) {
      best = &candidate;
      best_us = us;
    }
  }
  return best->config;
}

/// For so few keys that one small tile holds them.
constexpr std::int64_t tiny_keys = 64;
Config tiny(Config config) {
  config.block_kv = 64;
  config.stages = 1;
  return config;
}

/// For two blocks' keys that are so few that a mask would hide half of a large tile's.
constexpr std::int64_t few_masked_keys = 256;
Config split_masked(Config config) {
  config.block_kv = 64;
  config.stages = 4;
  return config;
}

Config with_small_tiles(const Config& config, const Problem& problem) {
  if (config.consumers > 1) return config;
  if (config.kv_splits == 1 && problem.seq_kv <= tiny_keys) return tiny(config);
  if (config.kv_splits == 2 && problem.seq_kv <= few_masked_keys && problem.head_dim <= 64 &&
      has_mask(problem))
    return split_masked(config);
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
        problem.seq_kv >= std::int64_t{kv_splits} * shape.packed.block_kv)
      return packed(shape.packed_split, kv_splits);
  if (can_split(problem, tasks, gpu)) return packed(shape.packed_split, 2);
  Config config = packed(shape.packed, 1);
  if (tasks <= gpu.multiprocessors) config.persistent = 0;
  return config;
}

}  // namespace

int capacity(std::int64_t head_dim) {
  return head_dim <= 64 ? 64 : head_dim <= 128 ? 128 : 256;
}

Config default_for(const Problem& problem, const GpuLimits& gpu) {
  const int head_dim = capacity(problem.head_dim);
  const Shapes shape = shapes(head_dim);
  const auto few = few_queries(problem, shape, gpu);
  Config config = few ? *few : with_small_tiles(fastest(problem, shape.candidates, gpu), problem);
  config.element = family::element_of(problem.dtype);
  config.head_dim = head_dim;
  return config;
}

std::vector<Config> all_defaults() {
  std::vector<Config> configs;
  for (const Element element : {Element::float16, Element::bfloat16})
    for (const int head_dim : {64, 128, 256}) {
      const Shapes shape = shapes(head_dim);
      std::vector<Config> of_head;
      for (const Candidate& candidate : shape.candidates) of_head.push_back(candidate.config);
      const Config& alone = of_head.front();
      of_head.push_back(tiny(alone));
      if (head_dim == 64) {
        of_head.push_back(split_masked(alone));
        of_head.back().kv_splits = 2;
        of_head.back().persistent = 1;  // as in all Configs whose blocks share keys
      }
      for (const int persistent : {0, 1}) {
        of_head.push_back(packed(shape.packed, 1));
        of_head.back().persistent = persistent;
      }
      for (const int kv_splits : {2, 4, 8})
        of_head.push_back(packed(shape.packed_split, kv_splits));
      for (Config& config : of_head) {
        config.element = element;
        config.head_dim = head_dim;
        configs.push_back(config);
      }
    }
  return configs;
}

}  // namespace flashcore::forward_tma_wgmma
