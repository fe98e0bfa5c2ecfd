#include "forward_tma_wgmma/grid.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "core/error.h"
#include "family/forward_call.h"

namespace flashcore::forward_tma_wgmma {
namespace {

constexpr double task_tiles = 0.6;  // what a task takes besides its tiles

/// What each of a head's tasks takes, in their order: its last rows first.
std::vector<double> costs_of(const Params& params, const Config& config) {
  const int rows = block_q(config) >> params.tile_heads_log2;
  std::vector<double> costs;
  for (int block = static_cast<int>(params.q_blocks.value) - 1; block >= 0; --block) {
    const int first = block * rows;
    const auto keys = device::keys_between(params, first, device::last_row(params, first, rows));
    costs.push_back(std::max((keys.count() + config.block_kv - 1) / config.block_kv, 1) +
                    task_tiles);
  }
  return costs;
}

double longest_of(const std::vector<double>& costs, unsigned tasks, unsigned blocks) {
  std::vector<double> shares(blocks);
  for (unsigned round = 0; round * blocks < tasks; ++round)
    for (unsigned block = 0; block < blocks; ++block)
      if (const unsigned task = task_of_round(round, block, blocks); task < tasks)
        shares[block] += costs[task % costs.size()];
  return *std::max_element(shares.begin(), shares.end());
}

int tile_heads(const core::Problem& problem, const Config& config) {
  return config.pack_heads != 0 ? packed_heads(problem) : 1;
}

/// Of a key head's query heads.
std::int64_t group_tiles(const core::Problem& problem, int heads) {
  return (problem.group_size() + heads - 1) / heads;
}

}  // namespace

int packed_heads(const core::Problem& problem) {
  const auto group = static_cast<std::uint64_t>(problem.group_size());
  return static_cast<int>(std::bit_ceil(std::min<std::uint64_t>(group, warpgroup_rows)));
}

std::int64_t tasks_of(const core::Problem& problem, int rows, int heads) {
  return family::q_blocks(problem, rows / heads) * group_tiles(problem, heads) * problem.heads_kv *
         problem.batch;
}

std::int64_t tasks_of_warpgroups(const core::Problem& problem, const Config& config) {
  return tasks_of(problem, warpgroup_rows, tile_heads(problem, config));
}

double longest_share(const Params& params, const Config& config, unsigned blocks) {
  return longest_of(costs_of(params, config), params.tasks, blocks);
}

unsigned blocks_for(const Params& params, const Config& config, int multiprocessors) {
  constexpr unsigned most_tasks = 16384;  // of more, shares even out
  constexpr double gain = 0.98;           // for less, all multiprocessors take part
  const auto all = static_cast<unsigned>(multiprocessors);
  if (params.tasks <= all) return params.tasks;
  if (params.tasks > most_tasks) return all;
  const auto costs = costs_of(params, config);
  if (std::equal(costs.begin() + 1, costs.end(), costs.begin())) return all;
  unsigned best = all;
  double shortest = longest_of(costs, params.tasks, all) * gain;
  for (unsigned blocks = all - 1; blocks >= std::max(all * 3 / 4, 1U); --blocks)
    if (const double longest = longest_of(costs, params.tasks, blocks); longest < shortest) {
      best = blocks;
      shortest = longest;
    }
  return best;
}

Params params_of(const core::Problem& problem, const Config& config, const core::GpuLimits& gpu) {
  const int heads = tile_heads(problem, config);
  const std::int64_t tasks = tasks_of(problem, block_q(config), heads);
  constexpr std::int64_t most_blocks = std::numeric_limits<int>::max();
  if (tasks > most_blocks / config.kv_splits)
    core::fail(core::Status::invalid_argument,
               "config: {} tasks of {} rows, kv_splits {}: {} needs more than {} blocks", tasks,
               block_q(config), config.kv_splits, problem.to_string(), most_blocks);
  Params params;
  static_cast<device::NarrowParams&>(params) =
      family::narrow_params(problem, block_q(config) / heads);
  const std::int64_t tiles = group_tiles(problem, heads);
  params.group_tiles = device::make_divisor(static_cast<unsigned>(tiles));
  params.head_tiles = device::make_divisor(static_cast<unsigned>(tiles * problem.heads_kv));
  params.tile_heads_log2 = std::countr_zero(static_cast<unsigned>(heads));
  params.warpgroup_positions = warpgroup_rows / heads;
  params.tasks = static_cast<unsigned>(tasks);
  // Blocks stay for more tasks, unless keys are shared.
  params.blocks =
      config.kv_splits > 1 ? params.tasks : blocks_for(params, config, gpu.multiprocessors);
  return params;
}

}  // namespace flashcore::forward_tma_wgmma
