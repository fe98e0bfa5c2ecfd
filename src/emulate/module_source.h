// The C++ program that one emulated kernel is compiled from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "jit/embedded_sources.h"
#include "jit/kernel_spec.h"

namespace flashcore::emulate {

/// One kernel instance for the emulator.
struct ModuleSpec {
  jit::KernelSpec kernel;
  std::span<const jit::EmbeddedSource> sources = jit::embedded_sources();
  std::vector<std::string> flags = {};  // for the compiler, beside its own
};

/// The folder of the sources in which a host's compiler looks first: there device/ptx executes on
/// the emulator.
inline constexpr const char* host_folder = "host";

/// Every source that the kernel includes as an emulated one, and the generated "module.cpp".
/// Throws invalid_argument where the entry, or a source that it needs, is not among them.
class ModuleSource {
 public:
  explicit ModuleSource(const ModuleSpec& spec);

  /// Covers every source, the kernel's name (so its Config) and the flags: all that the module
  /// depends on but the compiler.
  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  /// What the compiler is told, but for the files: includes are relative to `root`, and debugging
  /// information calls it kernels/.
  [[nodiscard]] std::vector<std::string> compile_flags(const std::filesystem::path& root) const;
  /// Writes the sources below `root`, which exists.
  void write(const std::filesystem::path& root) const;

 private:
  std::string program_;
  std::vector<jit::EmbeddedSource> files_;  // without the program
  std::vector<std::string> flags_;
  std::uint64_t hash_ = 0;
};

}  // namespace flashcore::emulate
