#include "emulate/module_source.h"

#include <fmt/format.h>

#include <array>
#include <fstream>
#include <string_view>

#include "core/error.h"
#include "jit/hasher.h"
#include "jit/include_closure.h"

namespace flashcore::emulate {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view program_name = "module.cpp";

/// {0}: the entry, {1}: the kernel's name.
constexpr std::string_view program_format = R"(// Generated: one kernel for the emulator.
#include "host/entry.h"
#include "{0}"

extern "C" {{
extern const flashcore::host::Module flashcore_emulated __attribute__((visibility("default")));
const flashcore::host::Module flashcore_emulated = flashcore::host::module_of<&{1}>();
}}
)";

/// -fsanitize=thread makes the compiler call a function around every access to memory; the module
/// defines those functions itself and is not linked with the sanitizer's library. Passes that would
/// make one access of several lines', or several of one, are left out.
constexpr std::array fixed_flags{"-std=c++20",
                                 "-O2",
                                 "-g",
                                 "-fPIC",
                                 "-w",
                                 "-fvisibility=hidden",
                                 "-fno-exceptions",
                                 "-ffp-contract=off",
                                 "-fno-tree-sra",
                                 "-fno-crossjumping",
                                 "-fno-tree-tail-merge",
                                 "-fsanitize=thread"};

void write_source(const fs::path& file, std::string_view text) {
  fs::create_directories(file.parent_path());
  std::ofstream stream(file, std::ios::binary);
  stream.write(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream.flush()) core::fail(core::Status::io, "{}: cannot be written", file.string());
}

}  // namespace

ModuleSource::ModuleSource(const ModuleSpec& spec)
    : program_(fmt::format(program_format, spec.kernel.entry, spec.kernel.name_expression)),
      flags_(fixed_flags.begin(), fixed_flags.end()) {
  flags_.insert(flags_.end(), spec.flags.begin(), spec.flags.end());
  std::vector<jit::EmbeddedSource> all(spec.sources.begin(), spec.sources.end());
  all.push_back({program_name, program_});
  for (const auto& source : jit::include_closure(program_name, all, host_folder).sources)
    if (source.path != program_name) files_.push_back(source);

  jit::Hasher hasher;
  hasher.add(program_);
  for (const std::string& flag : flags_) hasher.add(flag);
  for (const jit::EmbeddedSource& file : files_) {
    hasher.add(file.path);
    hasher.add(file.text);
  }
  hash_ = hasher.digest();
}

std::vector<std::string> ModuleSource::compile_flags(const fs::path& root) const {
  std::vector<std::string> flags = flags_;
  // The later one wins where both fit. Without the first, lines would name this process's folder.
  flags.push_back(fmt::format("-fdebug-prefix-map={}=", fs::current_path().string()));
  flags.push_back(fmt::format("-ffile-prefix-map={}/=kernels/", root.string()));
  flags.push_back(fmt::format("-I{}", (root / host_folder).string()));
  flags.push_back(fmt::format("-I{}", root.string()));
  return flags;
}

void ModuleSource::write(const fs::path& root) const {
  write_source(root / program_name, program_);
  for (const jit::EmbeddedSource& file : files_) write_source(root / file.path, file.text);
}

}  // namespace flashcore::emulate
