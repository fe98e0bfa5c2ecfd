// The choice of a family and a Config for a Problem on a GPU.
#pragma once

#include <functional>
#include <string>

#include "core/gpu_limits.h"
#include "core/problem.h"
#include "core/support.h"
#include "dispatch/dispatch.h"
#include "dispatch/tuned.h"
#include "family/family.h"
#include "jit/kernel_store.h"

namespace flashcore::dispatch {

struct Selection {
  const family::Family* family = nullptr;  // null: none serves it, and `reason` says why
  family::ConfigFields config;
  std::string reason;
};

/// Whether a kernel can be had for an architecture.
using Obtainable = std::function<bool(const jit::KernelSpec&, core::Arch)>;

/// The tuned record that a family has for a Problem.
using TunedLookup = std::function<TunedAnswer(const family::Family&, const core::Problem&)>;

/// Knows of none.
TunedAnswer untuned(const family::Family& family, const core::Problem& problem);

/// The records for a device; the emulator, which is not tuned for, has none.
TunedLookup tuned_for(const Device& device);

/// The fastest family that supports the Problem, with its tuned Config where there is a record and
/// else its default one; where that one's kernels cannot be had (no compiler, and no pack has
/// them), with one of those it ships that serves the Problem; where there is none either, the next
/// family.
Selection select(const core::Problem& problem, const core::GpuLimits& gpu,
                 const Obtainable& obtainable = jit::obtainable,
                 const TunedLookup& tuned = untuned);

/// A family's Config for a Problem that it supports, tuned or its default, and which in `reason`.
Selection own_config(const family::Family& family, const core::Problem& problem,
                     const core::GpuLimits& gpu, const TunedLookup& tuned);

/// On a GPU, or on the emulator, which takes every kernel for obtainable: where one is not, that is
/// an error and not a reason to emulate another.
Selection select(const core::Problem& problem, const Device& device);

}  // namespace flashcore::dispatch
