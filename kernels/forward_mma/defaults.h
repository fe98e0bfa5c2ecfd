// Which Configs forward_mma can run, and which it takes where no tuned record says otherwise.
#pragma once

#include <vector>

#include "core/gpu_limits.h"
#include "core/problem.h"
#include "core/support.h"
#include "forward_mma/config.h"

namespace flashcore::forward_mma {

/// Registers that the promise of blocks_per_multiprocessor leaves a thread.
int register_cap(const Config& config);

core::Support valid(const Config& config, const core::GpuLimits& gpu);

Config default_for(const core::Problem& problem, const core::GpuLimits& gpu);

/// Every Config for the element and head_dim of `like`, valid or not.
std::vector<Config> all_configs(const Config& like);

/// Whether the Problem has blocks for what the Config promises, and keys for its splits: others are
/// slower copies of a Config without that promise, or with fewer splits.
bool suits(const Config& config, const core::Problem& problem, const core::GpuLimits& gpu);

/// The default Configs of the shapes that most calls have.
std::vector<Config> shipped_defaults(const core::GpuLimits& gpu);

}  // namespace flashcore::forward_mma
