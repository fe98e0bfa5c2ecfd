#include "forward_tma_wgmma/grid.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "family/forward_call.h"
#include "forward_tma_wgmma/balance.h"

namespace flashcore::forward_tma_wgmma {
namespace {

/// Of so many heads K and V are still in the second level cache when deferred tasks read them
/// again; long rows have computation enough to read them from memory.
unsigned near_heads(const core::Problem& problem) {
  constexpr std::int64_t cached_bytes = 32 << 20;
  constexpr std::int64_t long_rows = 2048;
  constexpr auto all = std::numeric_limits<unsigned>::max();
  if (problem.seq_kv >= long_rows) return all;
  const std::int64_t head_bytes = problem.seq_kv * problem.head_dim * 2 * 2;
  return static_cast<unsigned>(cached_bytes / std::max<std::int64_t>(head_bytes, 1));
}

bool all_equal(const std::vector<double>& costs) {
  return std::equal(costs.begin() + 1, costs.end(), costs.begin());
}

Deal deal_of(const DealtParams& params, const core::Problem& problem, const Config& config) {
  constexpr unsigned most_tasks = 16384;  // of more, shares even out
  const Deal round_by_round{.dealt = params.tasks, .whole = params.tasks};
  if (params.tasks <= params.blocks || params.tasks > most_tasks ||
      params.blocks > Deal::most_blocks)
    return round_by_round;
  const auto costs = costs_of(params, config);
  if (all_equal(costs)) return round_by_round;
  return balanced(costs, params.tasks / params.q_blocks.value, near_heads(problem), params.blocks);
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

std::int64_t tasks_of(const core::Problem& problem, const Config& config) {
  return tasks_of(problem, block_q(config), tile_heads(problem, config));
}

std::int64_t tasks_of_warpgroups(const core::Problem& problem, const Config& config) {
  return tasks_of(problem, warpgroup_rows, tile_heads(problem, config));
}

bool few_rounds(std::int64_t blocks, const core::GpuLimits& gpu) {
  return blocks <= std::int64_t{gpu.multiprocessors} * 4;
}

std::vector<int> tiles_of(const DealtParams& params, const Config& config) {
  const int rows = block_q(config) >> params.tile_heads_log2;
  std::vector<int> tiles;
  for (int block = static_cast<int>(params.q_blocks.value) - 1; block >= 0; --block) {
    const int first = block * rows - params.missing_positions;
    const auto keys = device::keys_between(params, first, device::last_row(params, first, rows));
    tiles.push_back(std::max((keys.count() + config.block_kv - 1) / config.block_kv, 1));
  }
  return tiles;
}

std::vector<double> costs_of(const DealtParams& params, const Config& config) {
  std::vector<double> costs;
  for (const int tiles : tiles_of(params, config))
    costs.push_back(tiles * config.block_kv + task_keys);
  return costs;
}

namespace {

/// All but how many tasks there are and how they are dealt.
DealtParams undealt(const core::Problem& problem, const Config& config) {
  const int heads = tile_heads(problem, config);
  const int positions = block_q(config) / heads;
  DealtParams params;
  static_cast<device::NarrowParams&>(params) = family::narrow_params(problem, positions);
  const std::int64_t tiles = group_tiles(problem, heads);
  params.group_tiles = device::make_divisor(static_cast<unsigned>(tiles));
  params.head_tiles = device::make_divisor(static_cast<unsigned>(tiles * problem.heads_kv));
  params.call_tiles =
      device::make_divisor(static_cast<unsigned>(tiles * problem.heads_kv * problem.batch));
  params.tile_heads_log2 = std::countr_zero(static_cast<unsigned>(heads));
  params.warpgroup_positions = warpgroup_rows / heads;
  if (stays(config))
    params.missing_positions =
        static_cast<int>(params.q_blocks.value) * positions - static_cast<int>(problem.seq_q);
  return params;
}

}  // namespace

double longest_share(const core::Problem& problem, const Config& config,
                     const core::GpuLimits& gpu) {
  const std::int64_t tasks = tasks_of(problem, config);
  const std::int64_t multiprocessors = gpu.multiprocessors;
  if (few_rounds(tasks, gpu)) {
    const DealtParams params = params_of(problem, config, gpu);
    const auto shares = shares_of(params.deal, costs_of(params, config),
                                  params.tasks / params.q_blocks.value, params.blocks);
    return *std::max_element(shares.begin(), shares.end());
  }
  const auto costs = costs_of(undealt(problem, config), config);
  const std::int64_t rounds = (tasks + multiprocessors - 1) / multiprocessors;
  if (all_equal(costs)) return costs.front() * static_cast<double>(rounds);
  const double mean =
      std::accumulate(costs.begin(), costs.end(), 0.0) / static_cast<double>(costs.size());
  return std::max(*std::max_element(costs.begin(), costs.end()),
                  mean * static_cast<double>(tasks) / static_cast<double>(multiprocessors));
}

DealtParams params_of(const core::Problem& problem, const Config& config,
                      const core::GpuLimits& gpu) {
  const std::int64_t tasks = tasks_of(problem, config);
  constexpr std::int64_t most_blocks = std::numeric_limits<int>::max();
  if (tasks > most_blocks / config.kv_splits)
    core::fail(core::Status::invalid_argument,
               "config: {} tasks of {} rows, kv_splits {}: {} needs more than {} blocks", tasks,
               block_q(config), config.kv_splits, problem.to_string(), most_blocks);
  DealtParams params = undealt(problem, config);
  params.tasks = static_cast<unsigned>(tasks);
  params.blocks = params.tasks;
  if (!stays(config)) return params;
  params.blocks = std::min(params.tasks, static_cast<unsigned>(gpu.multiprocessors));
  params.deal = deal_of(params, problem, config);
  return params;
}

}  // namespace flashcore::forward_tma_wgmma
