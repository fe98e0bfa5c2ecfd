// forward_tma_wgmma's Configs where no tuned record says otherwise.
#pragma once

#include <vector>

#include "core/gpu_limits.h"
#include "core/problem.h"
#include "forward_tma_wgmma/config.h"

namespace flashcore::forward_tma_wgmma {

/// The head_dim that a Problem's is rounded up to: 64, 128 or 256.
int capacity(std::int64_t head_dim);

Config default_for(const core::Problem& problem, const core::GpuLimits& gpu);

/// Every Config that default_for may give.
std::vector<Config> all_defaults();

}  // namespace flashcore::forward_tma_wgmma
