#include "jit/cache_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "core/error.h"
#include "jit/files.h"

namespace flashcore::jit {

using core::fail;
using core::Status;
namespace fs = std::filesystem;

namespace {

/// Machine code from a file that someone else can change is that person's code.
void require_own(const FileDescriptor& file, const std::string& name) {
  struct stat status {};
  if (fstat(file.get(), &status) != 0) fail(Status::io, "{}: cannot be examined", name);
  if (status.st_uid != geteuid())
    fail(Status::io, "{}: owned by user {}, not by user {}", name, status.st_uid, geteuid());
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    fail(Status::io, "{}: others can write to it (mode {:o})", name, status.st_mode & 07777);
}

/// The directory, examined through the very descriptor that its files are then opened by.
FileDescriptor open_directory(const fs::path& path) {
  if (path.empty()) fail(Status::io, "none of FLASHCORE_CACHE_DIR, XDG_CACHE_HOME and HOME is set");
  FileDescriptor directory = open_file(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY);
  require_own(directory, path.string());
  return directory;
}

void make_directory(const fs::path& path) {
  if (path.empty() || fs::exists(path)) return;
  std::error_code error;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    fail(Status::io, "{}: cannot be made: {}", path.string(),
         std::generic_category().message(errno));
}

}  // namespace

std::optional<std::vector<std::uint8_t>> CacheFolder::find(const std::string& name) const {
  try {
    const FileDescriptor directory = open_directory(path_);
    const FileDescriptor file =
        open_file(directory.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    require_own(file, name);
    return read_all(file, name);
  } catch (const core::Error&) {
    return std::nullopt;  // absent or not ours: made again, and then replaced
  } catch (const fs::filesystem_error&) {
    return std::nullopt;
  }
}

void CacheFolder::keep(const std::string& name, std::span<const std::uint8_t> bytes) {
  try {
    make_directory(path_);
    const FileDescriptor directory = open_directory(path_);
    replace_file(directory.get(), name, bytes, 0600);
    remember({});
  } catch (const core::Error& error) {
    remember(error.what());
  } catch (const fs::filesystem_error& error) {
    remember(error.what());
  }
}

void CacheFolder::remember(const std::string& problem) {
  const std::scoped_lock lock(mutex_);
  write_problem_ = problem;
}

std::string CacheFolder::problem() {
  {
    const std::scoped_lock lock(mutex_);
    if (!write_problem_.empty()) return write_problem_;
  }
  try {
    if (!path_.empty() && !fs::exists(path_)) return {};  // made when it is needed
    open_directory(path_);
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

fs::path default_cache_directory() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return fs::path(value == nullptr ? "" : value);
  };
  if (const fs::path own = variable("FLASHCORE_CACHE_DIR"); !own.empty()) return fs::absolute(own);
  // The XDG specification: a relative path there is to be ignored.
  if (const fs::path xdg = variable("XDG_CACHE_HOME"); xdg.is_absolute()) return xdg / "flashcore";
  if (const fs::path home = variable("HOME"); home.is_absolute())
    return home / ".cache" / "flashcore";
  return {};
}

}  // namespace flashcore::jit
