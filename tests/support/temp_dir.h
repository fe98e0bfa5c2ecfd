// A directory of a test's own, gone when the test is.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace flashcore::test {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// The path of a file inside.
  [[nodiscard]] std::string file(std::string_view name) const { return (path_ / name).string(); }
  /// The names inside, sorted: what a command left behind.
  [[nodiscard]] std::string listing() const;

 private:
  std::filesystem::path path_;
};

/// A whole file. Throws when it cannot be read.
std::string read_text(const std::filesystem::path& path);
void write_text(const std::filesystem::path& path, std::string_view bytes);

}  // namespace flashcore::test
