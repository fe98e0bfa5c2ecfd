#include "io/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "core/error.h"

extern char** environ;

namespace flashcore::io {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

bool is_program(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
}

/// The paths that a pattern stands for, sorted.
std::vector<fs::path> expand(const fs::path& pattern) {
  std::vector<fs::path> found{""};
  for (const fs::path& part : pattern) {
    std::vector<fs::path> next;
    for (const fs::path& base : found) {
      const std::string name = part.string();
      if (!name.ends_with('*')) {
        next.push_back(base / part);
        continue;
      }
      std::error_code ignored;
      for (const auto& entry : fs::directory_iterator(base, ignored))
        if (entry.path().filename().string().starts_with(name.substr(0, name.size() - 1)))
          next.push_back(entry.path());
    }
    found = std::move(next);
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// posix_spawn's two argument objects, released with it.
class SpawnSetup {
 public:
  explicit SpawnSetup(int output) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  pid_t start(const std::vector<std::string>& command) const {
    std::vector<std::string> words = command;
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t child = 0;
    const int error =
        posix_spawnp(&child, arguments.front(), &actions_, &attributes_, arguments.data(), environ);
    if (error != 0)
      core::fail(core::Status::io, "{}: cannot be started: {}", command.front(),
                 std::strerror(error));
    return child;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

/// Appends what comes until the end; false where the deadline comes first.
bool read_until(int descriptor, Clock::time_point deadline, std::string& output) {
  std::array<char, 65536> bytes{};
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd readable{descriptor, POLLIN, 0};
    const int ready = poll(&readable, 1, static_cast<int>(std::clamp<long>(left, 0, 1 << 30)));
    if (ready == 0) return false;
    const ssize_t count = ready < 0 ? -1 : read(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return true;
    output.append(bytes.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

fs::path find_program(const std::string& name, std::span<const std::string> patterns) {
  if (name.find('/') != std::string::npos) return is_program(name) ? fs::path(name) : fs::path();
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');)
    if (!folder.empty() && is_program(fs::path(folder) / name)) return fs::path(folder) / name;
  for (const std::string& pattern : patterns) {
    std::vector<fs::path> found = expand(pattern);
    const auto last = std::find_if(found.rbegin(), found.rend(), is_program);
    if (last != found.rend()) return *last;
  }
  return {};
}

ProcessResult run_process(const std::vector<std::string>& command,
                          std::chrono::duration<double> limit) {
  std::array<int, 2> pipe_ends{};
  if (pipe2(pipe_ends.data(), O_CLOEXEC) != 0)
    core::fail(core::Status::io, "{}: no pipe: {}", command.front(), std::strerror(errno));
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(limit);
  pid_t child = 0;
  try {
    child = SpawnSetup(pipe_ends[1]).start(command);
  } catch (...) {
    for (const int end : pipe_ends) close(end);
    throw;
  }
  close(pipe_ends[1]);
  ProcessResult result;
  result.stopped = !read_until(pipe_ends[0], deadline, result.output);
  close(pipe_ends[0]);
  if (result.stopped) kill(-child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return result;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace flashcore::io
