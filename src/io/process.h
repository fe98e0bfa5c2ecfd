// Other programs: where they are, and what they say when they are run.
#pragma once

#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace flashcore::io {

/// The program as found in PATH, then as the first match of the patterns, in which a `*` ends the
/// name of a folder that may go on in any way (of several the last, the newest version); empty
/// where it is not. A name with a slash is a path, and looked for nowhere else.
std::filesystem::path find_program(const std::string& name,
                                   std::span<const std::string> patterns = {});

struct ProcessResult {
  int exit_code = 0;     // minus the signal's number where a signal ended it
  std::string output;    // standard output and standard error as they came
  bool stopped = false;  // at the time limit

  [[nodiscard]] bool succeeded() const { return exit_code == 0 && !stopped; }
};

/// Runs a program with an empty standard input, in a process group of its own that is killed at the
/// limit. Throws io where it cannot be started.
ProcessResult run_process(const std::vector<std::string>& command,
                          std::chrono::duration<double> limit);

/// The lines of a text, without their ends.
std::vector<std::string> lines_of(const std::string& text);

}  // namespace flashcore::io
