// Where the headers of CUDA and CCCL (`mma.h`, `cuda/pipeline`) are: beside NVRTC.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace flashcore::jit {

struct HeaderFolders {
  std::vector<std::filesystem::path> folders;  // include paths that are there, in order
  std::vector<std::filesystem::path> absent;   // those looked for that are not, for the message
};

/// The include folders that belong to an NVRTC: a toolkit's, or those of the wheels for CUDA 13 and
/// 12, each with CCCL's below it where it has one.
HeaderFolders find_header_folders(const std::filesystem::path& nvrtc);

/// The first of `names` that no folder holds, with the folders that were searched, as a sentence;
/// empty when all are there.
std::string missing_header(const HeaderFolders& headers, const std::vector<std::string>& names);

/// Tells one set of headers from another: the folders, and the size and time of change of the
/// headers that name CUDA's and CCCL's version. 0 where there is no folder.
std::uint64_t identity_of_headers(const HeaderFolders& headers);

}  // namespace flashcore::jit
