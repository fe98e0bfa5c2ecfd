// How long a call takes under a Config, from what its tasks and their tiles take.
#pragma once

#include "core/gpu_limits.h"
#include "core/problem.h"
#include "forward_tma_wgmma/config.h"

namespace flashcore::forward_tma_wgmma {

/// In microseconds on an H100, for blocks of one Config (README.md has the measurements).
struct Pace {
  double task;  // besides its tiles
  double tile;  // of block_kv keys
};

/// Until a call's last block is done: blocks with one task each as they find multiprocessors, those
/// with most tiles first; blocks that stay when the longest share is. Infinity for more than a few
/// rounds of the former, and for clusters that find no place.
double call_us(const core::Problem& problem, const Config& config, const Pace& pace,
               const core::GpuLimits& gpu);

}  // namespace flashcore::forward_tma_wgmma
