#include "emulate/host_compiler.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "core/error.h"
#include "io/process.h"
#include "jit/files.h"
#include "jit/hasher.h"

namespace flashcore::emulate {

using core::fail;
using core::Status;
namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds version_limit{20};
constexpr std::chrono::seconds compile_limit{600};
constexpr std::array usual_names{"c++", "g++", "clang++"};

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

/// A folder of this run's own, gone afterwards with all that is in it.
class WorkFolder {
 public:
  WorkFolder() {
    std::string pattern = (fs::temp_directory_path() / "flashcore-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr)
      fail(Status::io, "{}: cannot be made: {}", pattern, std::generic_category().message(errno));
    path_ = pattern;
  }
  ~WorkFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// The program with its first words, asked for its version; a problem where it does not answer.
HostCompiler try_compiler(std::vector<std::string> command, const std::string& from) {
  HostCompiler compiler;
  if (command.empty()) {
    compiler.problem = fmt::format("{} names no program", from);
    return compiler;
  }
  const fs::path program = io::find_program(command.front());
  if (program.empty()) {
    compiler.problem = fmt::format("{}: there is no program {}", from, command.front());
    return compiler;
  }
  command.front() = program.string();
  std::vector<std::string> ask = command;
  ask.emplace_back("--version");
  const io::ProcessResult answer = io::run_process(ask, version_limit);
  if (!answer.succeeded()) {
    compiler.problem =
        fmt::format("{}: {} exits with {}", from, fmt::join(ask, " "), answer.exit_code);
    return compiler;
  }
  compiler.command = std::move(command);
  compiler.version = answer.output.substr(0, answer.output.find('\n'));
  return compiler;
}

std::string replaced(std::string text, const std::string& what, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
  return text;
}

/// Runs one step; its output, in which the folder is called kernels, is the message where it fails.
void run_step(const std::vector<std::string>& command, const fs::path& folder,
              const std::string& label) {
  const io::ProcessResult result = io::run_process(command, compile_limit);
  if (result.succeeded()) return;
  const std::string how = result.stopped
                              ? fmt::format("was stopped after {}s", compile_limit.count())
                              : fmt::format("exits with {}", result.exit_code);
  fail(Status::compile_failed, "{} for the emulator: {} {}:\n{}", label, command.front(), how,
       replaced(result.output, folder.string(), "kernels"));
}

std::vector<std::string> joined(std::vector<std::string> words,
                                const std::vector<std::string>& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

}  // namespace

std::uint64_t HostCompiler::identity() const {
  if (!available()) return 0;
  jit::Hasher hasher;
  for (const std::string& word : command) hasher.add(word);
  hasher.add(version);
  hasher.add(fmt::format("{:x}", jit::identity_of_file(command.front())));
  return hasher.digest();
}

HostCompiler find_host_compiler(
    const std::function<std::optional<std::string>(const char*)>& variable) {
  std::string looked;
  for (const char* name : {"FLASHCORE_CXX", "CXX"}) {
    if (const auto value = variable(name); value && !value->empty()) {
      HostCompiler found = try_compiler(words_of(*value), fmt::format("${}", name));
      if (!found.available()) found.problem = "no C++ compiler: " + found.problem;
      return found;
    }
    looked += fmt::format("${} is not set, ", name);
  }
  for (const char* name : usual_names)
    if (HostCompiler found = try_compiler({name}, "PATH"); found.available()) return found;
  HostCompiler none;
  none.problem = fmt::format("no C++ compiler: {}and none of {} runs from PATH ({})", looked,
                             fmt::join(usual_names, ", "), variable("PATH").value_or(""));
  return none;
}

const HostCompiler& host_compiler() {
  static const HostCompiler found =
      find_host_compiler([](const char* name) -> std::optional<std::string> {
        const char* value = std::getenv(name);
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
      });
  return found;
}

std::vector<std::uint8_t> compile_module(const ModuleSource& source, const HostCompiler& compiler,
                                         const std::string& label) {
  if (!compiler.available())
    fail(Status::no_device, "{} for the emulator: {}", label, compiler.problem);
  const WorkFolder folder;
  source.write(folder.path());
  const auto file = [&](const char* name) { return (folder.path() / name).string(); };
  run_step(joined(joined(compiler.command, source.compile_flags(folder.path())),
                  {"-c", file("module.cpp"), "-o", file("module.o")}),
           folder.path(), label);
  // By itself, so that the sanitizer's library is not linked; bound to its own functions, so that a
  // sanitizer of the process does not take their place; complete, for machines with no compiler.
  run_step(joined(compiler.command, {"-shared", "-static-libgcc", "-static-libstdc++",
                                     "-Wl,-Bsymbolic", file("module.o"), "-o", file("module.so")}),
           folder.path(), label);
  return jit::read_all(jit::open_file(AT_FDCWD, file("module.so").c_str(), O_RDONLY), label);
}

}  // namespace flashcore::emulate
