#include "jit/nvrtc.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "jit/files.h"

namespace flashcore::jit {
namespace {

template <typename FunctionPointer>
bool bind(void* library, FunctionPointer& member, const char* name, std::string& missing) {
  member = reinterpret_cast<FunctionPointer>(dlsym(library, name));
  if (member == nullptr && missing.empty()) missing = name;
  return member != nullptr;
}

/// The name of the first entry point that is missing.
std::string bind_all(void* library, NvrtcApi& api) {
  std::string missing;
  bind(library, api.nvrtcVersion, "nvrtcVersion", missing);
  bind(library, api.nvrtcGetErrorString, "nvrtcGetErrorString", missing);
  bind(library, api.nvrtcGetNumSupportedArchs, "nvrtcGetNumSupportedArchs", missing);
  bind(library, api.nvrtcGetSupportedArchs, "nvrtcGetSupportedArchs", missing);
  bind(library, api.nvrtcCreateProgram, "nvrtcCreateProgram", missing);
  bind(library, api.nvrtcDestroyProgram, "nvrtcDestroyProgram", missing);
  bind(library, api.nvrtcAddNameExpression, "nvrtcAddNameExpression", missing);
  bind(library, api.nvrtcCompileProgram, "nvrtcCompileProgram", missing);
  bind(library, api.nvrtcGetProgramLogSize, "nvrtcGetProgramLogSize", missing);
  bind(library, api.nvrtcGetProgramLog, "nvrtcGetProgramLog", missing);
  bind(library, api.nvrtcGetCUBINSize, "nvrtcGetCUBINSize", missing);
  bind(library, api.nvrtcGetCUBIN, "nvrtcGetCUBIN", missing);
  bind(library, api.nvrtcGetLoweredName, "nvrtcGetLoweredName", missing);
  return missing;
}

/// The file that holds a symbol, for a library that the loader found by its name alone.
std::string file_of(const void* symbol, const std::string& otherwise) {
  Dl_info info{};
  if (dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) return otherwise;
  return info.dli_fname;
}

/// Empty, or why this file cannot serve.
std::string load_one(const std::string& file, LoadedNvrtc& loaded) {
  // Never closed: programs of other threads may be in it.
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return dlerror();
  if (const std::string missing = bind_all(library, loaded.api); !missing.empty())
    return fmt::format("{}: has no {}", file, missing);
  if (loaded.api.nvrtcVersion(&loaded.major, &loaded.minor) != nvrtc_success)
    return fmt::format("{}: nvrtcVersion failed", file);
  if (loaded.major < 12)
    return fmt::format("{}: is NVRTC {}.{}, and C++20 needs 12.0 or later", file, loaded.major,
                       loaded.minor);
  loaded.path = file_of(reinterpret_cast<void*>(loaded.api.nvrtcVersion), file);
  return {};
}

const CandidateList& candidates() {
  static const CandidateList list = find_nvrtc(process_environment());
  return list;
}

}  // namespace

LoadedNvrtc load_nvrtc(const CandidateList& list) {
  std::vector<std::string> tried;
  for (const std::string& place : list.absent) tried.push_back("nothing in " + place);
  for (const Candidate& candidate : list.candidates) {
    LoadedNvrtc loaded;
    std::string problem = load_one(candidate.file, loaded);
    if (problem.empty()) return loaded;
    tried.push_back(std::move(problem));
  }
  LoadedNvrtc none;
  none.reason =
      fmt::format("NVRTC, the run-time compiler, was not found: {}", fmt::join(tried, "; "));
  return none;
}

const LoadedNvrtc& loaded_nvrtc() {
  static const LoadedNvrtc loaded = load_nvrtc(candidates());
  return loaded;
}

std::string compiler_file() {
  const auto& list = candidates().candidates;
  const auto present =
      std::find_if(list.begin(), list.end(), [](const Candidate& c) { return c.found; });
  return present != list.end() ? present->file : loaded_nvrtc().path;
}

std::uint64_t compiler_identity() {
  static const std::uint64_t identity = [] {
    const std::string file = compiler_file();
    return file.empty() ? 0 : identity_of_file(file);
  }();
  return identity;
}

}  // namespace flashcore::jit
