// A child process that answers JSON lines: the worker and the peers. Whatever it does, the parent
// goes on.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace flashcore::bench {

/// What a child did instead of answering.
enum class ChildEnd { not_running, crashed, hung, garbage, exited };

/// The same in words: "crashed with SIGSEGV", "gave no answer within 5 s".
class ChildFailure : public std::runtime_error {
 public:
  explicit ChildFailure(const std::string& what, ChildEnd end = ChildEnd::not_running)
      : std::runtime_error(what), end_(end) {}
  [[nodiscard]] ChildEnd end() const { return end_; }

 private:
  ChildEnd end_;
};

/// Runs in a process group of its own, which is killed with it. Its standard error is kept: the
/// last line explains a failure.
class Child {
 public:
  /// `environment`: "NAME=value", added to the parent's. Throws ChildFailure where the program
  /// cannot be started.
  explicit Child(const std::vector<std::string>& command,
                 const std::vector<std::string>& environment = {});
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Sends one request and waits for its answer, an object with "ok". Lines with "progress" before
  /// it go to `progress`. Throws ChildFailure on a crash, an early exit, a line that is not such an
  /// object, or no answer in time; the child is dead then.
  nlohmann::json ask(const nlohmann::json& request, std::chrono::duration<double> limit,
                     const std::function<void(std::string_view)>& progress = {});

  [[nodiscard]] bool alive() const { return pid_ > 0; }

 private:
  void start(const std::vector<std::string>& command, const std::vector<std::string>& environment);
  void send(const std::string& line, std::chrono::steady_clock::time_point deadline);
  std::string read_line(std::chrono::steady_clock::time_point deadline);
  /// Waits for one of the pipes; takes what is there. False at the deadline.
  bool pump(std::chrono::steady_clock::time_point deadline);
  void take_errors(const char* bytes, std::size_t count);
  /// Kills the group, reaps the child and throws.
  [[noreturn]] void give_up(const std::string& what, ChildEnd end);
  /// How the child ended, after its output did.
  [[noreturn]] void report_end();
  void close_pipes();
  void kill_group();

  pid_t pid_ = -1;
  int to_child_ = -1;
  int from_child_ = -1;
  int errors_ = -1;
  std::string output_;      // read, not yet taken as lines
  std::string error_tail_;  // the last of what it wrote to standard error
};

}  // namespace flashcore::bench
