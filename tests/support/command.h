// Runs a program as a user would, and the `flashcore` command above all.
#pragma once

#include <string>
#include <vector>

namespace flashcore::test {

struct CommandResult {
  int exit_code = 0;  // minus the signal's number when a signal ended it
  std::string out;    // what it wrote to standard output
  std::string err;    // and to standard error
};

/// Runs `program` with these arguments, standard input empty. `environment` ("NAME=value") is added
/// to the test's own and wins over it.
CommandResult run_program(const std::string& program, const std::vector<std::string>& arguments,
                          const std::vector<std::string>& environment = {});

#ifdef FLASHCORE_COMMAND
/// Runs this build's `flashcore`.
inline CommandResult run_command(const std::vector<std::string>& arguments,
                                 const std::vector<std::string>& environment = {}) {
  return run_program(FLASHCORE_COMMAND, arguments, environment);
}
#endif

}  // namespace flashcore::test
