// A pack: compiled kernels in one file. A cache entry is a pack of one.
//
//   magic "FLASHPK2" | u64 length of the index | u64 XXH3 of the index | index (JSON) | cubins
//
// The index names each kernel, its report, and the length and XXH3 of its cubin; the cubins follow
// in the same order and fill the rest of the file exactly. Numbers are little-endian.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/gpu_limits.h"
#include "jit/binary.h"
#include "jit/kernel_spec.h"

namespace flashcore::jit {

struct PackEntry {
  std::uint64_t source_hash = 0;
  KernelSpec spec;
  core::Arch arch;
  std::pair<int, int> nvrtc_version = {0, 0};
  Binary binary;

  /// Whether it is the kernel of that source hash, spec and architecture.
  [[nodiscard]] bool is(std::uint64_t hash, const KernelSpec& wanted,
                        core::Arch wanted_arch) const {
    return source_hash == hash && spec == wanted && arch == wanted_arch;
  }
};

std::vector<std::uint8_t> write_pack(std::span<const PackEntry> entries);

/// Throws io: "name: what is wrong with it". Trusts no length and no byte that a checksum does not
/// cover.
std::vector<PackEntry> read_pack(std::span<const std::uint8_t> bytes, const std::string& name);

std::vector<PackEntry> read_pack_file(const std::filesystem::path& path);

}  // namespace flashcore::jit
