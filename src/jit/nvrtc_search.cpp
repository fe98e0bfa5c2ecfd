#include "jit/nvrtc_search.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <system_error>

namespace flashcore::jit {

namespace fs = std::filesystem;

namespace {

constexpr std::array library_names{"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"};

/// A place by the name the user knows it by, and the directories it stands for.
struct Place {
  std::string name;
  std::vector<fs::path> directories;
};

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

Place cuda_home(const SearchEnvironment& environment) {
  const auto home = environment.variable("CUDA_HOME");
  if (!home) return {"$CUDA_HOME (not set)", {}};
  return {fmt::format("$CUDA_HOME ({})", *home),
          {fs::path(*home) / "lib64", fs::path(*home) / "lib"}};
}

/// The toolkit of the first nvcc on PATH, which may be a link into it.
Place nvcc_toolkit(const SearchEnvironment& environment) {
  const std::string path = environment.variable("PATH").value_or("");
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    const fs::path nvcc = fs::path(path.substr(begin, end - begin)) / "nvcc";
    begin = end + 1;
    if (!is_file(nvcc)) continue;
    std::error_code error;
    const fs::path real = fs::canonical(nvcc, error);
    const fs::path root = (error ? nvcc : real).parent_path().parent_path();
    return {fmt::format("the toolkit of {}", nvcc.string()), {root / "lib64", root / "lib"}};
  }
  return {"nvcc's toolkit (no nvcc on PATH)", {}};
}

/// The layouts of the nvidia-cuda-nvrtc wheels for CUDA 13 and 12, in a folder of Python packages.
void add_wheel_directories(const fs::path& packages, std::vector<fs::path>& directories) {
  for (const char* package : {"cu13/lib", "cuda_nvrtc/lib"})
    directories.push_back(packages / "nvidia" / package);
}

/// lib/python3*/site-packages of a virtual environment.
std::vector<fs::path> package_folders(const fs::path& venv) {
  std::error_code error;
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(venv / "lib", error))
    if (entry.path().filename().string().starts_with("python3"))
      folders.push_back(entry.path() / "site-packages");
  std::sort(folders.begin(), folders.end());
  return folders;
}

Place wheels(const SearchEnvironment& environment) {
  std::vector<fs::path> venvs;
  if (const auto venv = environment.variable("FLASHCORE_CUDA_VENV")) venvs.emplace_back(*venv);
  for (const fs::path& directory : environment.binary_directories)
    venvs.push_back((directory / ".." / "cuda-venv").lexically_normal());
  Place place{"the wheels' virtual environment", {}};
  std::string names;
  for (const fs::path& venv : venvs) {
    names += (names.empty() ? "" : ", ") + venv.string();
    for (const fs::path& folder : package_folders(venv))
      add_wheel_directories(folder, place.directories);
  }
  place.name += fmt::format(" ({})", names.empty() ? "nowhere" : names);
  return place;
}

/// Where this library is part of a Python package: NVIDIA's packages beside it, as PyTorch needs.
Place packages_beside(const SearchEnvironment& environment) {
  Place place{"NVIDIA's Python packages beside this one", {}};
  for (const fs::path& directory : environment.binary_directories)  // flashcore/_native or /bin
    add_wheel_directories((directory / ".." / "..").lexically_normal(), place.directories);
  return place;
}

/// Adds the first library of the place, or the place to those that have none.
void search(const Place& place, CandidateList& list) {
  for (const fs::path& directory : place.directories)
    for (const char* name : library_names)
      if (const fs::path file = directory / name; is_file(file)) {
        list.candidates.push_back({file.string(), true});
        return;
      }
  list.absent.push_back(place.name);
}

}  // namespace

SearchEnvironment process_environment() {
  SearchEnvironment environment;
  environment.variable = [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  };
  std::error_code error;
  if (const fs::path executable = fs::read_symlink("/proc/self/exe", error); !error)
    environment.binary_directories.push_back(executable.parent_path());
  // In a Python package or another shared library, the executable is someone else's.
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&process_environment), &info) != 0 &&
      info.dli_fname != nullptr) {
    const fs::path directory = fs::weakly_canonical(info.dli_fname, error).parent_path();
    auto& known = environment.binary_directories;
    if (!error && std::find(known.begin(), known.end(), directory) == known.end())
      known.push_back(directory);
  }
  return environment;
}

CandidateList find_nvrtc(const SearchEnvironment& environment) {
  CandidateList list;
  if (const auto file = environment.variable("FLASHCORE_NVRTC")) {
    list.candidates.push_back({*file, is_file(*file)});
    return list;
  }
  const bool prefer_wheels = environment.variable("FLASHCORE_CUDA") == "wheels";
  const auto search_wheels = [&] {
    search(wheels(environment), list);
    search(packages_beside(environment), list);
  };
  if (prefer_wheels) search_wheels();
  search(cuda_home(environment), list);
  search(nvcc_toolkit(environment), list);
  search({"/usr/local/cuda", {"/usr/local/cuda/lib64"}}, list);
  if (!prefer_wheels) search_wheels();
  for (const char* name : library_names) list.candidates.push_back({name, false});
  return list;
}

}  // namespace flashcore::jit
