// Source to cubin through NVRTC, which is loaded at run time and needs no GPU.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/gpu_limits.h"
#include "jit/binary.h"
#include "jit/embedded_sources.h"
#include "jit/kernel_spec.h"

namespace flashcore::jit {

bool compiler_available();
/// Why not, naming every place that was tried. Empty when it is available.
std::string compiler_unavailable_reason();
/// The file NVRTC was loaded from; empty when it was not.
std::string compiler_path();
/// NVRTC's (major, minor); (0, 0) when it was not loaded.
std::pair<int, int> compiler_version();

/// The architectures NVRTC compiles for, by number (80 for sm_80). Empty without a compiler.
std::vector<int> compiler_archs();

/// Compiles one kernel. Throws compile_failed with the compiler's log, or no_device when there is
/// no compiler. Thread-safe, and in parallel.
Binary compile(const KernelSpec& spec, core::Arch arch,
               std::span<const EmbeddedSource> sources = embedded_sources());

/// Covers the sources that the kernel includes, the name expression (so the Config), the exact
/// architecture and the options: all that the cubin depends on but the compiler's installation.
std::uint64_t source_hash(const KernelSpec& spec, core::Arch arch,
                          std::span<const EmbeddedSource> sources = embedded_sources());

/// Covers that installation: NVRTC itself and, for a kernel that includes headers of CUDA or CCCL
/// (`#include <mma.h>`), those. 0 where there is no compiler.
std::uint64_t toolchain_identity(const KernelSpec& spec,
                                 std::span<const EmbeddedSource> sources = embedded_sources());

}  // namespace flashcore::jit
