#include "io/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/error.h"

namespace flashcore::io {

namespace {

namespace fs = std::filesystem;

/// Linux moves at most 2 GiB at a time.
constexpr std::size_t largest_transfer = std::size_t{1} << 30;

[[noreturn]] void fail_with_errno(const std::string& path, std::string_view what) {
  const std::string reason = std::generic_category().message(errno);
  core::fail(core::Status::io, "{}: {}: {}", path, what, reason);
}

std::string resolved(const std::string& path) {
  std::error_code error;
  const fs::path target = fs::weakly_canonical(path, error);
  if (error) core::fail(core::Status::io, "{}: cannot write: {}", path, error.message());
  return target.string();
}

}  // namespace

InputFile::InputFile(std::string path) : path_(std::move(path)) {
  // Without O_NONBLOCK, opening a named pipe would wait for a writer before it could be refused.
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) fail_with_errno(path_, "cannot open");
  struct stat status {};
  const bool known = ::fstat(descriptor_, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    core::fail(core::Status::io, "{}: {}, not a regular file", path_,
               known && S_ISDIR(status.st_mode) ? "a directory" : "a device or a pipe");
  }
  size_ = status.st_size;
}

InputFile::~InputFile() {
  ::close(descriptor_);
}

void InputFile::read(std::int64_t offset, void* into, std::size_t bytes) const {
  auto* next = static_cast<std::byte*>(into);
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_, next, std::min(bytes, largest_transfer), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_with_errno(path_, "cannot read");
    if (got == 0)
      core::fail(core::Status::io, "{}: the file ends at byte {}, {} bytes early", path_, offset,
                 bytes);
    next += got;
    offset += got;
    bytes -= static_cast<std::size_t>(got);
  }
}

OutputFile::OutputFile(const std::string& path) : target_(resolved(path)) {
  std::error_code ignored;
  const fs::file_status status = fs::status(target_, ignored);
  if (fs::is_directory(status))
    core::fail(core::Status::io, "{}: cannot write: it is a directory", path);
  if (fs::exists(status) && !fs::is_regular_file(status))
    core::fail(core::Status::io, "{}: cannot write: it is not a regular file", path);
  temporary_ = fmt::format("{}.{}.tmp", target_, ::getpid());
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail_with_errno(path, "cannot write");
}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void OutputFile::write(const void* data, std::size_t bytes) {
  const auto* next = static_cast<const std::byte*>(data);
  while (bytes > 0) {
    const ssize_t put = ::write(descriptor_, next, std::min(bytes, largest_transfer));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_with_errno(target_, "cannot write");
    next += put;
    bytes -= static_cast<std::size_t>(put);
  }
}

void OutputFile::commit() {
  if (::fsync(descriptor_) != 0) fail_with_errno(target_, "cannot write");
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0)
    fail_with_errno(target_, "cannot replace");
  ::close(descriptor_);
  descriptor_ = -1;
}

void make_folder(const std::filesystem::path& folder, std::string_view option) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    core::fail(core::Status::io, "{}: {} cannot be made: {}", option, folder.string(),
               error.message());
}

}  // namespace flashcore::io
