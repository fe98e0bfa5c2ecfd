#include "forward_tma_wgmma/grid.h"

#include <algorithm>
#include <vector>

namespace flashcore::forward_tma_wgmma {
namespace {

constexpr double task_tiles = 0.6;  // what a task takes besides its tiles

/// What each of a head's tasks takes, in their order: its last rows first.
std::vector<double> costs_of(const Params& params, const Config& config) {
  const int rows = block_q(config);
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

}  // namespace

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

}  // namespace flashcore::forward_tma_wgmma
