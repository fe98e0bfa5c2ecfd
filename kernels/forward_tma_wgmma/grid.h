// How a call is dealt to blocks.
#pragma once

#include <vector>

#include "core/gpu_limits.h"
#include "core/problem.h"
#include "forward_tma_wgmma/config.h"
#include "forward_tma_wgmma/params.h"

namespace flashcore::forward_tma_wgmma {

/// What a task takes besides its tiles where blocks stay, in keys (README.md has the measurements).
inline constexpr int task_keys = 192;

/// Query heads of one key head that a tile packs: a power of two, so that rows and positions are
/// shifts apart. Rows beyond the group are computed and not stored.
int packed_heads(const core::Problem& problem);

/// Tasks of so many rows, of which `heads` heads have one each at every position.
std::int64_t tasks_of(const core::Problem& problem, int rows, int heads = 1);

/// The same for a Config's tiles.
std::int64_t tasks_of(const core::Problem& problem, const Config& config);

/// The same for a Config's tiles with one consumer.
std::int64_t tasks_of_warpgroups(const core::Problem& problem, const Config& config);

/// Whether so many blocks, of one task each, are so few that none waits for many others. More had
/// better stay: what comes before and after a task's tiles then overlaps the next one's.
bool few_rounds(std::int64_t blocks, const core::GpuLimits& gpu);

/// Tiles of each of a head's tasks, of which all blocks of a cluster together look at all, in their
/// order: its last rows first.
std::vector<int> tiles_of(const DealtParams& params, const Config& config);

/// What these tasks take, in keys.
std::vector<double> costs_of(const DealtParams& params, const Config& config);

/// What the block takes that has most of a call, in keys of block_q rows each. Where there are more
/// than a few rounds of tasks that differ, as if they could be dealt evenly.
double longest_share(const core::Problem& problem, const Config& config,
                     const core::GpuLimits& gpu);

/// All that does not differ from call to call, but the tensor maps. Throws invalid_argument for
/// more blocks than a grid has.
DealtParams params_of(const core::Problem& problem, const Config& config,
                      const core::GpuLimits& gpu);

}  // namespace flashcore::forward_tma_wgmma
