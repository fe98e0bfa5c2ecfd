// What tests of the Hopper family ask about.
#pragma once

#include "core/gpu_limits.h"
#include "core/problem.h"

namespace flashcore::forward_tma_wgmma {

inline const core::GpuLimits hopper = core::limits_of({9, 0, true});

/// fp16, as many keys as queries, as many key heads as query heads.
inline core::Problem square(int batch, int heads, int seq, int head_dim, core::MaskKind kind) {
  core::Mask mask;
  mask.kind = kind;
  return core::contiguous_problem(core::Dtype::float16, batch, heads, heads, seq, seq, head_dim,
                                  mask);
}

}  // namespace flashcore::forward_tma_wgmma
