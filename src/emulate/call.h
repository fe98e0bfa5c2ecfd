// A call on the emulator: kernels that a family launches as it launches them on a GPU.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "core/problem.h"
#include "cuda/kernel.h"
#include "emulate/launch.h"
#include "jit/kernel_spec.h"

namespace flashcore::emulate {

/// What its launches are given in place of a stream: how to run, and where to report. A launch
/// after one with a finding is left out: it would read what was not written.
struct Run {
  Options options;
  Report report = {};

  [[nodiscard]] cuda::StreamHandle stream() { return this; }
};

/// The kernels, compiled side by side where they must be. Their launches return when they are done.
/// Throws what ModuleStore::find throws.
std::vector<cuda::Kernel> load_kernels(std::span<const jit::KernelSpec> specs);

/// A call's tensors and workspace by name: all the global memory that its kernels may touch.
std::vector<Buffer> buffers_of(const core::Problem& problem, const core::Arguments& arguments);

/// The findings of a report, one to a line; empty where there are none.
std::string describe(const Report& report);

}  // namespace flashcore::emulate
