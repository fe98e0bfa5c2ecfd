// Runs a HostCall on the CPU backend.
#pragma once

#include <cstddef>

#include "core/host_tensor.h"
#include "cpu/forward.h"

namespace flashcore::cpu {

/// With an instruction set and a pool of the test's choice. The workspace starts as NaN, so that
/// scratch that nobody wrote is seen in the result.
inline void run(core::HostCall& call, const SimdKernel& kernel, ThreadPool& pool,
                bool with_lse = true) {
  const std::size_t bytes = workspace_bytes(call.problem, kernel, pool.threads());
  core::HostTensor workspace(core::Dtype::float32, static_cast<std::int64_t>(bytes / 4 + 1));
  workspace.fill_bytes(0xFF);
  core::Arguments arguments = call.arguments();
  arguments.workspace = workspace.data();
  arguments.workspace_bytes = bytes;
  if (!with_lse) arguments.lse = nullptr;
  forward(call.problem, arguments, kernel, pool);
}

/// With what the process picked.
inline void run(core::HostCall& call, bool with_lse = true) {
  run(call, available_kernels().front(), process_pool(), with_lse);
}

}  // namespace flashcore::cpu
