// Source to cubin through NVRTC, which is loaded at run time and needs no GPU.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "core/gpu_limits.h"
#include "jit/binary.h"
#include "jit/kernel_spec.h"

namespace flashcore::jit {

bool compiler_available();
/// Why not, naming every place that was tried. Empty when it is available.
std::string compiler_unavailable_reason();
/// The file NVRTC was loaded from; empty when it was not.
std::string compiler_path();
/// NVRTC's (major, minor); (0, 0) when it was not loaded.
std::pair<int, int> compiler_version();

/// Compiles one kernel of the embedded sources. Throws compile_failed with the compiler's log, or
/// no_device when there is no compiler.
Binary compile(const KernelSpec& spec, core::Arch arch);

/// Covers the sources that the kernel includes, the name expression (so the Config), the exact
/// architecture and the options: all that the cubin depends on but the compiler itself.
std::uint64_t source_hash(const KernelSpec& spec, core::Arch arch);

}  // namespace flashcore::jit
