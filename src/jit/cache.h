// The user's cache of compiled kernels: a folder of packs of one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "jit/cache_folder.h"
#include "jit/pack.h"

namespace flashcore::jit {

/// As safe as its folder, and as quiet about the state of the disk.
class Cache {
 public:
  explicit Cache(std::filesystem::path directory) : folder_(std::move(directory)) {}

  /// The kernel that was kept under this key. A damaged entry is as good as none.
  [[nodiscard]] std::optional<PackEntry> find(std::uint64_t key, std::uint64_t source_hash,
                                              const KernelSpec& spec, core::Arch arch) const;
  void keep(std::uint64_t key, const PackEntry& entry);

  [[nodiscard]] const std::filesystem::path& directory() const { return folder_.path(); }
  /// Why the cache is not used; empty when it is.
  std::string problem() { return folder_.problem(); }

 private:
  CacheFolder folder_;
};

}  // namespace flashcore::jit
