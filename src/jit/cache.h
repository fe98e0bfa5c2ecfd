// The user's cache of compiled kernels: a directory of packs of one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "jit/pack.h"

namespace flashcore::jit {

/// Thread-safe, and safe with other processes in the same directory. Never throws over the state of
/// the disk: a cache that cannot be used finds nothing, keeps nothing, and problem() says why.
class Cache {
 public:
  /// The directory is made, with mode 0700, at the first entry that is kept. An empty path is a
  /// cache that is nowhere.
  explicit Cache(std::filesystem::path directory) : directory_(std::move(directory)) {}

  /// The kernel that was kept under this key. A damaged entry is as good as none.
  std::optional<PackEntry> find(std::uint64_t key, std::uint64_t source_hash,
                                const KernelSpec& spec, core::Arch arch);
  void keep(std::uint64_t key, const PackEntry& entry);

  [[nodiscard]] const std::filesystem::path& directory() const { return directory_; }
  /// Why the cache is not used; empty when it is.
  std::string problem();

 private:
  void remember(const std::string& problem);

  const std::filesystem::path directory_;
  std::mutex mutex_;
  std::string write_problem_;  // of the last entry that could not be kept
};

/// $FLASHCORE_CACHE_DIR, or $XDG_CACHE_HOME/flashcore, or ~/.cache/flashcore; empty where the
/// environment names none of them.
std::filesystem::path default_cache_directory();

}  // namespace flashcore::jit
