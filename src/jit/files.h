// Files whole: read at once, and replaced at once or not at all.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace flashcore::jit {

class FileDescriptor {
 public:
  explicit FileDescriptor(int number) : number_(number) {}
  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  [[nodiscard]] int get() const { return number_; }
  /// Leaves it open for as long as the process lives.
  void keep_open() { number_ = -1; }

 private:
  int number_;
};

/// openat(2). Throws io naming the file.
FileDescriptor open_file(int directory, const char* name, int flags);

/// A regular file's bytes. Throws io when it is not one or cannot be read.
std::vector<std::uint8_t> read_all(const FileDescriptor& file, const std::string& name);

/// Throws io naming the file.
void write_all(const FileDescriptor& file, const std::string& name,
               std::span<const std::uint8_t> bytes);

/// Writes under a temporary name in the same directory and renames: readers see the old file or the
/// new one, and a failure leaves nothing behind. `mode` is the new file's. Throws io.
void replace_file(int directory, const std::string& name, std::span<const std::uint8_t> bytes,
                  unsigned mode);

/// Tells a file from another and from itself before a change: its real path, size and time of
/// change. 0 where it is not there.
std::uint64_t identity_of_file(const std::string& file);

}  // namespace flashcore::jit
