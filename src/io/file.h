// Files: read by position, written whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace flashcore::io {

/// A regular file, open for reading. Every failure throws io with the path and the system's reason.
class InputFile {
 public:
  explicit InputFile(std::string path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::int64_t size() const { return size_; }
  /// Throws when the file ends before `bytes` were read.
  void read(std::int64_t offset, void* into, std::size_t bytes) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
};

/// A file that appears under its name, complete, when commit() returns, and never otherwise: it is
/// written under a temporary name beside it. What the name held before stays until then. A symbolic
/// link is followed. A name that holds something other than a regular file is refused.
class OutputFile {
 public:
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void commit();

 private:
  std::string target_;
  std::string temporary_;
  int descriptor_ = -1;
};

/// Makes the folder that an option names, and those around it, where they are not. Throws io.
void make_folder(const std::filesystem::path& folder, std::string_view option);

}  // namespace flashcore::io
