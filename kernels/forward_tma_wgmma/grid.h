// How a call is dealt to blocks.
#pragma once

#include <vector>

#include "core/gpu_limits.h"
#include "core/problem.h"
#include "forward_tma_wgmma/config.h"
#include "forward_tma_wgmma/params.h"

namespace flashcore::forward_tma_wgmma {

/// Query heads of one key head that a tile packs: a power of two, so that rows and positions are
/// shifts apart. Rows beyond the group are computed and not stored.
int packed_heads(const core::Problem& problem);

/// Tasks of so many rows, of which `heads` heads have one each at every position.
std::int64_t tasks_of(const core::Problem& problem, int rows, int heads = 1);

/// The same for a Config's tiles.
std::int64_t tasks_of(const core::Problem& problem, const Config& config);

/// The same for a Config's tiles with one consumer.
std::int64_t tasks_of_warpgroups(const core::Problem& problem, const Config& config);

/// What each of a head's tasks takes, in keys, in their order: its last rows first.
std::vector<double> costs_of(const DealtParams& params, const Config& config);

/// What the block takes that has most of a call, in keys of block_q rows each, if tasks that differ
/// can be dealt evenly.
double longest_share(const core::Problem& problem, const Config& config,
                     const core::GpuLimits& gpu);

/// All that does not differ from call to call, but the tensor maps. Throws invalid_argument for
/// more blocks than a grid has.
DealtParams params_of(const core::Problem& problem, const Config& config,
                      const core::GpuLimits& gpu);

}  // namespace flashcore::forward_tma_wgmma
