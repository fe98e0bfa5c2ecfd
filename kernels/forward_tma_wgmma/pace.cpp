#include "forward_tma_wgmma/pace.h"

#include <bit>
#include <functional>
#include <limits>
#include <queue>
#include <vector>

#include "forward_tma_wgmma/grid.h"

namespace flashcore::forward_tma_wgmma {
namespace {

constexpr double launch_us = 1.0;
constexpr double stay_us = 2.1;    // the same, with what blocks that stay work out before and after
constexpr double merge_us = 0.25;  // each time that a task's blocks are doubled

/// Clusters that find place at once. Those of more than two blocks do not divide the
/// multiprocessors of each GPC: some remain.
std::int64_t places(const Config& config, const core::GpuLimits& gpu) {
  const int usable =
      config.kv_splits > 2 ? gpu.multiprocessors - gpu.multiprocessors / 16 : gpu.multiprocessors;
  return usable / config.kv_splits;
}

double one_task_each_us(const core::Problem& problem, const Config& config, const Pace& pace,
                        const core::GpuLimits& gpu) {
  const double task =
      pace.task + merge_us * std::countr_zero(static_cast<unsigned>(config.kv_splits));
  const DealtParams params = params_of(problem, config, gpu);
  const unsigned heads = params.tasks / params.q_blocks.value;
  std::priority_queue<double, std::vector<double>, std::greater<>> done;
  for (std::int64_t place = places(config, gpu); place > 0; --place) done.push(0);
  double last = 0;
  for (const int tiles : tiles_of(params, config))
    for (unsigned head = 0; head < heads; ++head) {
      const int longest = (tiles + config.kv_splits - 1) / config.kv_splits;
      const double end = done.top() + task + pace.tile * longest;
      done.pop();
      done.push(end);
      last = std::max(last, end);
    }
  return launch_us + last;
}

}  // namespace

double call_us(const core::Problem& problem, const Config& config, const Pace& pace,
               const core::GpuLimits& gpu) {
  if (stays(config))
    return stay_us + pace.task +
           pace.tile * (longest_share(problem, config, gpu) - task_keys) / config.block_kv;
  if (places(config, gpu) < 1 || !few_rounds(tasks_of(problem, config) * config.kv_splits, gpu))
    return std::numeric_limits<double>::infinity();
  return one_task_each_us(problem, config, pace, gpu);
}

}  // namespace flashcore::forward_tma_wgmma
