#include "bench/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

extern char** environ;

namespace flashcore::bench {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

namespace {

constexpr std::size_t error_tail_bytes = 4096;
constexpr std::size_t longest_line = std::size_t{16} << 20;
constexpr std::chrono::seconds end_grace{2};  // between the end of the output and the exit

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (std::string& each : strings) result.push_back(each.data());
  result.push_back(nullptr);
  return result;
}

int milliseconds_until(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1 << 30));
}

std::string last_line(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  const auto newline = text.rfind('\n');
  return std::string{newline == std::string_view::npos ? text : text.substr(newline + 1)};
}

/// Printable and short, for a message.
std::string excerpt(std::string_view text, std::size_t length) {
  std::string result;
  for (const char c : text.substr(0, length)) result += c >= ' ' && c <= '~' ? c : '?';
  return text.size() > length ? result + "..." : result;
}

std::string signal_name(int signal) {
  const char* abbreviation = sigabbrev_np(signal);
  return abbreviation == nullptr ? fmt::format("signal {}", signal)
                                 : fmt::format("SIG{}", abbreviation);
}

/// Forks on a thread that lives as long as the process: the kernel sends a child its
/// PR_SET_PDEATHSIG when the *thread* that forked it ends, and the callers' threads come and go.
class Forker {
 public:
  /// As fork(2); in the child, `body` is called and does not return.
  static pid_t fork(const std::function<void()>& body) {
    static auto* forker = new Forker;  // never destroyed: its thread is waiting when exit() runs
    return forker->ask(body);
  }

 private:
  Forker() {
    std::thread([this] { serve(); }).detach();
  }

  pid_t ask(const std::function<void()>& body) {
    const std::scoped_lock one_at_a_time(callers_);
    std::unique_lock lock(mutex_);
    body_ = &body;
    changed_.notify_all();
    changed_.wait(lock, [&] { return body_ == nullptr; });
    errno = error_;
    return pid_;
  }

  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return body_ != nullptr; });
      pid_ = ::fork();
      error_ = errno;
      if (pid_ == 0) (*body_)();
      body_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex callers_, mutex_;
  std::condition_variable changed_;
  const std::function<void()>* body_ = nullptr;
  pid_t pid_ = -1;
  int error_ = 0;
};

}  // namespace

Child::Child(const std::vector<std::string>& command, const std::vector<std::string>& environment) {
  start(command, environment);
}

Child::~Child() {
  kill_group();
  close_pipes();
}

void Child::start(const std::vector<std::string>& command,
                  const std::vector<std::string>& environment) {
  // A socket takes MSG_NOSIGNAL, so that a dead child is an error and not a SIGPIPE.
  std::array<int, 2> input{}, output{}, errors{}, exec_status{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input.data()) != 0 ||
      pipe2(output.data(), O_CLOEXEC) != 0 || pipe2(errors.data(), O_CLOEXEC) != 0 ||
      pipe2(exec_status.data(), O_CLOEXEC) != 0)
    throw ChildFailure(fmt::format("no pipes: {}", std::strerror(errno)));

  std::vector<std::string> arguments = command;
  std::vector<std::string> variables = environment;  // the first of a name wins
  for (char** each = environ; *each != nullptr; ++each) variables.emplace_back(*each);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(variables);

  pid_ = Forker::fork([&] {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a parent that is killed takes it along
    dup2(input[1], STDIN_FILENO);
    dup2(output[1], STDOUT_FILENO);
    dup2(errors[1], STDERR_FILENO);
    execvpe(argv[0], argv.data(), envp.data());
    const int error = errno;
    [[maybe_unused]] const auto written = write(exec_status[1], &error, sizeof error);
    _exit(127);
  });
  const int fork_error = errno;
  for (const int fd : {input[1], output[1], errors[1], exec_status[1]}) close(fd);
  to_child_ = input[0];
  from_child_ = output[0];
  errors_ = errors[0];
  int exec_error = 0;
  const bool exec_failed =
      pid_ > 0 && read(exec_status[0], &exec_error, sizeof exec_error) == sizeof exec_error;
  close(exec_status[0]);
  if (pid_ > 0 && !exec_failed) {
    setpgid(pid_, pid_);  // in both processes, so that neither runs before it is done
    return;
  }
  kill_group();
  close_pipes();
  throw ChildFailure(fmt::format("{} cannot be started: {}", command.front(),
                                 std::strerror(exec_failed ? exec_error : fork_error)));
}

json Child::ask(const json& request, std::chrono::duration<double> limit,
                const std::function<void(std::string_view)>& progress) {
  if (!alive()) throw ChildFailure("is not running");
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(limit);
  send(request.dump() + '\n', deadline);
  while (true) {
    const std::string line = Clock::now() < deadline ? read_line(deadline) : std::string{};
    if (line.empty())
      give_up(fmt::format("gave no answer within {:g} s and was stopped", limit.count()),
              ChildEnd::hung);
    json answer = json::parse(line, nullptr, false);
    if (answer.is_object() && answer.contains("progress")) {
      if (progress && answer["progress"].is_string())
        progress(answer["progress"].get<std::string>());
      continue;
    }
    if (!answer.is_object() || !answer.contains("ok") || !answer["ok"].is_boolean())
      give_up(fmt::format("answered with what is not a reply: '{}'", excerpt(line, 60)),
              ChildEnd::garbage);
    return answer;
  }
}

void Child::send(const std::string& line, Clock::time_point deadline) {
  std::size_t sent = 0;
  while (sent < line.size()) {
    const ssize_t count =
        ::send(to_child_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) {
      sent += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      pollfd writable{to_child_, POLLOUT, 0};
      if (poll(&writable, 1, milliseconds_until(deadline)) <= 0)
        give_up("takes no requests", ChildEnd::hung);
    } else if (errno != EINTR) {
      return;  // it closed its input, perhaps dying: what it writes or how it ends tells more
    }
  }
}

std::string Child::read_line(Clock::time_point deadline) {
  std::size_t searched = 0;
  while (true) {
    const auto newline = output_.find('\n', searched);
    if (newline != std::string::npos) {
      std::string line = output_.substr(0, newline);
      output_.erase(0, newline + 1);
      return line.empty() ? " " : line;  // empty stands for the deadline
    }
    if (output_.size() > longest_line) give_up("writes without end", ChildEnd::garbage);
    searched = output_.size();
    if (!pump(deadline)) return {};
  }
}

bool Child::pump(Clock::time_point deadline) {
  std::array<pollfd, 2> readable{{{from_child_, POLLIN, 0}, {errors_, POLLIN, 0}}};
  const int ready = poll(readable.data(), readable.size(), milliseconds_until(deadline));
  if (ready < 0) return errno == EINTR;
  if (ready == 0) return false;
  std::array<char, 65536> bytes{};
  if (readable[1].revents != 0) {
    const ssize_t count = read(errors_, bytes.data(), bytes.size());
    if (count > 0) {
      take_errors(bytes.data(), static_cast<std::size_t>(count));
    } else {
      close(errors_);
      errors_ = -1;  // poll ignores negative descriptors
    }
  }
  if (readable[0].revents != 0) {
    const ssize_t count = read(from_child_, bytes.data(), bytes.size());
    if (count <= 0) report_end();
    output_.append(bytes.data(), static_cast<std::size_t>(count));
  }
  return true;
}

void Child::take_errors(const char* bytes, std::size_t count) {
  error_tail_.append(bytes, count);
  if (error_tail_.size() > error_tail_bytes)
    error_tail_.erase(0, error_tail_.size() - error_tail_bytes);
}

void Child::give_up(const std::string& what, ChildEnd end) {
  kill_group();
  close_pipes();
  throw ChildFailure(what, end);
}

void Child::report_end() {
  // What it wrote last may still be in the pipe.
  std::array<char, 4096> bytes{};
  pollfd readable{errors_, POLLIN, 0};
  while (errors_ >= 0 && poll(&readable, 1, 100) > 0) {
    const ssize_t count = read(errors_, bytes.data(), bytes.size());
    if (count <= 0) break;
    take_errors(bytes.data(), static_cast<std::size_t>(count));
  }
  int status = 0;
  pid_t ended = 0;
  for (const auto deadline = Clock::now() + end_grace; ended == 0 && Clock::now() < deadline;) {
    ended = waitpid(pid_, &status, WNOHANG);
    if (ended == 0) usleep(1000);
  }
  if (ended == 0) give_up("closed its output without an answer and was stopped", ChildEnd::exited);
  const pid_t group = pid_;
  pid_ = -1;
  kill(-group, SIGKILL);  // what it started and left behind
  close_pipes();
  std::string what = WIFSIGNALED(status)
                         ? fmt::format("crashed with {}", signal_name(WTERMSIG(status)))
                         : fmt::format("exited with status {} and no answer", WEXITSTATUS(status));
  if (const std::string line = last_line(error_tail_); !line.empty())
    what += fmt::format(" ({})", excerpt(line, 300));
  throw ChildFailure(what, WIFSIGNALED(status) ? ChildEnd::crashed : ChildEnd::exited);
}

void Child::kill_group() {
  if (pid_ <= 0) return;
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);  // before it became its group's leader
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

void Child::close_pipes() {
  for (int* fd : {&to_child_, &from_child_, &errors_}) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
  }
}

}  // namespace flashcore::bench
