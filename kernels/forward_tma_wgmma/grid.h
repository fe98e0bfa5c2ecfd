// How a call is dealt to blocks.
#pragma once

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

/// The same for a Config's tiles with one consumer.
std::int64_t tasks_of_warpgroups(const core::Problem& problem, const Config& config);

/// The most tiles that one of so many blocks goes through, which take the tasks as task.h's
/// Schedule deals them.
double longest_share(const Params& params, const Config& config, unsigned blocks);

/// One for each multiprocessor, or somewhat fewer where the lengths of a mask's rows would
/// otherwise fall in step with the rounds and give some blocks all of the longest.
unsigned blocks_for(const Params& params, const Config& config, int multiprocessors);

/// All that does not differ from call to call, but the tensor maps. Throws invalid_argument for
/// more blocks than a grid has.
Params params_of(const core::Problem& problem, const Config& config, const core::GpuLimits& gpu);

}  // namespace flashcore::forward_tma_wgmma
