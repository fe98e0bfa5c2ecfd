// Where kernels come from: memory, the user's cache, installed packs, the compiler, in that order.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "core/gpu_limits.h"
#include "cuda/kernel.h"
#include "jit/binary.h"
#include "jit/kernel_spec.h"

namespace flashcore::jit {

struct FoundBinary {
  const Binary& binary;  // lives as long as the process
  Origin origin;
};

/// The binary of a kernel for an architecture. Thread-safe. A damaged cache entry is recompiled; a
/// cache that cannot be used costs only the time, and cache_problem() says why.
FoundBinary find_binary(const KernelSpec& spec, core::Arch arch);

/// Whether there is a way to the kernel's binary: always where there is a compiler, else where the
/// cache or a pack holds it.
bool obtainable(const KernelSpec& spec, core::Arch arch);

/// The kernel loaded on a device, with its dynamic shared memory allowed. Thread-safe; loaded once.
/// Throws compile_failed, device_failed or no_device.
cuda::Kernel load_kernel(const KernelSpec& spec, int device_ordinal, unsigned shared_bytes);

/// Adds a pack's kernels. Throws io, naming the file and what is wrong with it.
void load_pack(const std::filesystem::path& path);

struct PackState {
  std::filesystem::path path;
  std::size_t kernels = 0;
  std::string problem;  // why it could not be read; empty when it was
};

/// The packs in use, and those that were found and could not be used.
std::vector<PackState> known_packs();

/// The cache directory in use: $FLASHCORE_CACHE_DIR, or $XDG_CACHE_HOME/flashcore, or
/// ~/.cache/flashcore.
std::filesystem::path cache_directory();
/// Why the cache is not used ("others can write to it"); empty when it is.
std::string cache_problem();

}  // namespace flashcore::jit
