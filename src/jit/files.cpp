#include "jit/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "core/error.h"

namespace flashcore::jit {

using core::fail;
using core::Status;

namespace {

std::string error_text(int number) {
  return std::generic_category().message(number);
}

/// Process ids repeat: containers may share a home directory.
std::uint64_t random_number() {
  std::uint64_t number = 0;
  if (getrandom(&number, sizeof(number), 0) != ssize_t{sizeof(number)})
    fail(Status::internal, "getrandom: {}", error_text(errno));
  return number;
}

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (number_ >= 0) close(number_);
}

FileDescriptor open_file(int directory, const char* name, int flags) {
  const int number = openat(directory, name, flags | O_CLOEXEC, 0600);
  if (number < 0) throw core::Error(Status::io, fmt::format("{}: {}", name, error_text(errno)));
  return FileDescriptor(number);
}

std::vector<std::uint8_t> read_all(const FileDescriptor& file, const std::string& name) {
  struct stat status {};
  if (fstat(file.get(), &status) != 0) fail(Status::io, "{}: {}", name, error_text(errno));
  if (!S_ISREG(status.st_mode)) fail(Status::io, "{}: not a regular file", name);
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(status.st_size));
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = read(file.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(Status::io, "{}: {}", name, error_text(errno));
    if (got == 0) break;  // it shrank
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

void write_all(const FileDescriptor& file, const std::string& name,
               std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      fail(Status::io, "{}: {} bytes could not be written: {}", name, bytes.size(),
           error_text(errno));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void replace_file(int directory, const std::string& name, std::span<const std::uint8_t> bytes,
                  unsigned mode) {
  const std::string temporary = fmt::format("{}.{:016x}.tmp", name, random_number());
  try {
    const FileDescriptor file =
        open_file(directory, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
    write_all(file, name, bytes);
    if (fchmod(file.get(), mode) != 0)
      fail(Status::io, "{}: mode {:o}: {}", name, mode, error_text(errno));
    if (renameat(directory, temporary.c_str(), directory, name.c_str()) != 0)
      fail(Status::io, "{}: {}", name, error_text(errno));
  } catch (...) {
    unlinkat(directory, temporary.c_str(), 0);
    throw;
  }
}

std::uint64_t identity_of_file(const std::string& file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) return 0;
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(file, error);
  const std::string text =
      fmt::format("{}\n{}\n{}.{}", error ? file : real.string(), status.st_size,
                  status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  return XXH3_64bits(text.data(), text.size());
}

}  // namespace flashcore::jit
