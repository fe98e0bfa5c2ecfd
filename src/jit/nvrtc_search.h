// Where NVRTC may be on this machine.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flashcore::jit {

/// What the search depends on, so that it can be tested.
struct SearchEnvironment {
  std::function<std::optional<std::string>(const char*)> variable;  // the environment's
  std::vector<std::filesystem::path> binary_directories;  // of the executable and this library
};

/// This process's own.
SearchEnvironment process_environment();

/// One place to look: a file that is there, or a name for the loader to find.
struct Candidate {
  std::string file;
  bool found = false;  // a file that exists; false for a bare name, left to the loader
};

struct CandidateList {
  std::vector<Candidate> candidates;  // in the order to try them
  std::vector<std::string> absent;    // places where there was nothing, for the message
};

/// In order: $FLASHCORE_NVRTC alone when it is set; $CUDA_HOME, nvcc's toolkit, /usr/local/cuda,
/// the wheels' virtual environment and those beside this library in a Python package (both first
/// when FLASHCORE_CUDA=wheels), the loader's own search.
CandidateList find_nvrtc(const SearchEnvironment& environment);

}  // namespace flashcore::jit
