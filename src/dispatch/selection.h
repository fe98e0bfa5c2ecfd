// The choice of a family and a Config for a Problem on a GPU.
#pragma once

#include <string>

#include "core/gpu_limits.h"
#include "core/problem.h"
#include "core/support.h"
#include "family/family.h"

namespace flashcore::dispatch {

struct Selection {
  const family::Family* family = nullptr;  // null: none serves it, and `reason` says why
  family::ConfigFields config;
  std::string reason;
};

/// The fastest family that supports the Problem, with its default Config.
Selection select(const core::Problem& problem, const core::GpuLimits& gpu);

}  // namespace flashcore::dispatch
