#include "jit/header_search.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "jit/files.h"

namespace flashcore::jit {

namespace fs = std::filesystem;

namespace {

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool holds(const fs::path& folder, const std::string& name) {
  std::error_code error;
  return fs::exists(folder / name, error);
}

void add_once(const fs::path& path, std::vector<fs::path>& paths) {
  if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
}

/// Relative to the folder of the library: a toolkit and CUDA 13's wheels, Debian's packages, and
/// CUDA 12's wheels, which have a folder each.
constexpr std::array include_folders{"../include", "../../include", "../../cuda_runtime/include",
                                     "../../cuda_nvcc/include", "../../cuda_cccl/include"};

constexpr std::array version_headers{"cuda_runtime_api.h", "cuda/std/__cccl/version.h"};

}  // namespace

HeaderFolders find_header_folders(const fs::path& nvrtc) {
  HeaderFolders headers;
  const auto look_in = [&](const fs::path& folder) {
    add_once(folder, is_folder(folder) ? headers.folders : headers.absent);
  };
  std::error_code error;
  const fs::path real = fs::canonical(nvrtc, error);
  for (const fs::path& file : {nvrtc, error ? nvrtc : real})
    for (const char* relative : include_folders) {
      const fs::path folder = (file.parent_path() / relative).lexically_normal();
      look_in(folder);
      look_in(folder / "cccl");
    }
  return headers;
}

std::string missing_header(const HeaderFolders& headers, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto& folders = headers.folders;
    if (std::any_of(folders.begin(), folders.end(),
                    [&](const fs::path& folder) { return holds(folder, name); }))
      continue;
    std::vector<std::string> searched;
    for (const fs::path& folder : folders) searched.push_back("not in " + folder.string());
    for (const fs::path& folder : headers.absent) searched.push_back("no " + folder.string());
    return fmt::format("<{}>, a header of CUDA or CCCL, was not found beside NVRTC: {}", name,
                       fmt::join(searched, "; "));
  }
  return {};
}

std::uint64_t identity_of_headers(const HeaderFolders& headers) {
  std::string text;
  for (const fs::path& folder : headers.folders)
    for (const char* name : version_headers)
      if (holds(folder, name))
        text += fmt::format("{:x}\n", identity_of_file((folder / name).string()));
  return text.empty() ? 0 : XXH3_64bits(text.data(), text.size());
}

}  // namespace flashcore::jit
