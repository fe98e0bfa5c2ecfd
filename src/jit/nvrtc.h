// NVRTC, loaded at run time. Declared by hand: nothing includes nvrtc.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "jit/nvrtc_search.h"

namespace flashcore::jit {

using NvrtcResult = int;
using NvrtcProgram = struct OpaqueNvrtcProgram*;
inline constexpr NvrtcResult nvrtc_success = 0;

/// The entry points, each under its symbol's name.
struct NvrtcApi {
  NvrtcResult (*nvrtcVersion)(int* major, int* minor);
  const char* (*nvrtcGetErrorString)(NvrtcResult);
  NvrtcResult (*nvrtcGetNumSupportedArchs)(int* count);
  NvrtcResult (*nvrtcGetSupportedArchs)(int* archs);
  NvrtcResult (*nvrtcCreateProgram)(NvrtcProgram*, const char* source, const char* name,
                                    int header_count, const char* const* headers,
                                    const char* const* include_names);
  NvrtcResult (*nvrtcDestroyProgram)(NvrtcProgram*);
  NvrtcResult (*nvrtcAddNameExpression)(NvrtcProgram, const char* expression);
  NvrtcResult (*nvrtcCompileProgram)(NvrtcProgram, int option_count, const char* const* options);
  NvrtcResult (*nvrtcGetProgramLogSize)(NvrtcProgram, std::size_t*);
  NvrtcResult (*nvrtcGetProgramLog)(NvrtcProgram, char*);
  NvrtcResult (*nvrtcGetCUBINSize)(NvrtcProgram, std::size_t*);
  NvrtcResult (*nvrtcGetCUBIN)(NvrtcProgram, char*);
  NvrtcResult (*nvrtcGetLoweredName)(NvrtcProgram, const char* expression, const char** lowered);
};

struct LoadedNvrtc {
  NvrtcApi api{};
  std::string path;    // the file it was loaded from; empty when it was not
  std::string reason;  // why it was not; empty when it was
  int major = 0;
  int minor = 0;
};

/// Loads the first candidate that works. Never throws: what went wrong is the reason.
LoadedNvrtc load_nvrtc(const CandidateList& list);

/// The process's own, loaded at its first use (about 10 ms).
const LoadedNvrtc& loaded_nvrtc();

/// The file that compiler_identity tells of; empty where there is none.
std::string compiler_file();

/// Tells one installation of NVRTC from another: its file's real path, size and time of change,
/// which tell more than its version and are known without loading it. 0 where there is none.
std::uint64_t compiler_identity();

}  // namespace flashcore::jit
