// This machine's C++ compiler, run as a program.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "emulate/module_source.h"

namespace flashcore::emulate {

struct HostCompiler {
  std::vector<std::string> command;  // the program, and what comes before its own arguments
  std::string version;               // the first line of what it says of itself
  std::string problem;               // why there is none, with where it was looked for

  [[nodiscard]] bool available() const { return problem.empty(); }
  /// Tells it from another compiler, and from itself before an update. 0 where there is none.
  [[nodiscard]] std::uint64_t identity() const;
};

/// $FLASHCORE_CXX alone when it is set, else $CXX, else c++, g++ or clang++ in PATH. The variables
/// may hold arguments too ("ccache g++").
HostCompiler find_host_compiler(
    const std::function<std::optional<std::string>(const char*)>& variable);
/// As this process finds it; looked for once.
const HostCompiler& host_compiler();

/// The shared object's bytes. Throws compile_failed with the compiler's message, no_device where
/// there is no compiler, io where there is nowhere to work.
std::vector<std::uint8_t> compile_module(const ModuleSource& source, const HostCompiler& compiler,
                                         const std::string& label);

}  // namespace flashcore::emulate
