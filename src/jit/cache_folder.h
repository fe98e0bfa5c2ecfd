// The user's own folder of compiled kernels, whose files no one else can have written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace flashcore::jit {

/// Thread-safe, and safe with other processes in the same folder. Never throws over the state of
/// the disk: a folder that cannot be used finds nothing, keeps nothing, and problem() says why.
class CacheFolder {
 public:
  /// The folder is made, with mode 0700, at the first file that is kept. An empty path is a folder
  /// that is nowhere.
  explicit CacheFolder(std::filesystem::path path) : path_(std::move(path)) {}

  /// A file's bytes. Nothing where the folder or the file is not there, is another user's, or could
  /// be written by others: their machine code would be run.
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> find(const std::string& name) const;
  /// Puts the file in the place of what the name held: readers see the old one or the new one.
  void keep(const std::string& name, std::span<const std::uint8_t> bytes);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Why the folder is not used; empty when it is.
  std::string problem();

 private:
  void remember(const std::string& problem);

  const std::filesystem::path path_;
  std::mutex mutex_;
  std::string write_problem_;  // of the last file that could not be kept
};

/// $FLASHCORE_CACHE_DIR, or $XDG_CACHE_HOME/flashcore, or ~/.cache/flashcore; empty where the
/// environment names none of them.
std::filesystem::path default_cache_directory();

}  // namespace flashcore::jit
