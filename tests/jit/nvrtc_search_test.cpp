#include "jit/nvrtc_search.h"

#include <gmock/gmock.h>

#include <map>

#include "jit/nvrtc.h"
#include "support/temp_dir.h"

namespace flashcore::jit {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class NvrtcSearch : public ::testing::Test {
 protected:
  /// An empty file that looks like a library.
  std::string put(const fs::path& relative) {
    const fs::path file = directory_.path() / relative;
    fs::create_directories(file.parent_path());
    test::write_text(file, "");
    return file.string();
  }
  std::string at(const char* relative) { return (directory_.path() / relative).string(); }

  CandidateList find(const std::map<std::string, std::string>& variables) {
    return find_nvrtc({.variable = [&](const char* name) -> std::optional<std::string> {
                         const auto found = variables.find(name);
                         if (found == variables.end()) return std::nullopt;
                         return found->second;
                       },
                       .binary_directories = {directory_.path() / "build" / "bin"}});
  }

  std::string first(const std::map<std::string, std::string>& variables) {
    return find(variables).candidates.at(0).file;
  }

  test::TempDir directory_;
};

TEST_F(NvrtcSearch, AnExplicitFileIsTheOnlyOne) {
  put("cuda/lib64/libnvrtc.so.13");
  const CandidateList list =
      find({{"FLASHCORE_NVRTC", "/asked/for.so"}, {"CUDA_HOME", at("cuda")}});
  ASSERT_EQ(list.candidates.size(), 1U);
  EXPECT_EQ(list.candidates[0].file, "/asked/for.so");
}

TEST_F(NvrtcSearch, APythonPackageFindsTheWheelsInstalledBesideIt) {
  // The library is in build/bin, so a folder of packages that it were in is two levels up.
  const std::string wheel = put("nvidia/cu13/lib/libnvrtc.so.13");
  EXPECT_EQ(first({{"FLASHCORE_CUDA", "wheels"}}), wheel);
}

TEST_F(NvrtcSearch, PrefersCudaHomeThenTheToolkitOfNvcc) {
  const std::string home = put("home/lib64/libnvrtc.so.12");
  const std::string toolkit = put("toolkit/lib64/libnvrtc.so.13");
  put("toolkit/bin/nvcc");
  fs::create_directories(directory_.path() / "links");
  fs::create_symlink(at("toolkit/bin/nvcc"), at("links/nvcc"));
  const std::string path = "/nowhere:" + at("links");
  EXPECT_EQ(first({{"CUDA_HOME", at("home")}, {"PATH", path}}), home);
  EXPECT_EQ(first({{"CUDA_HOME", at("empty")}, {"PATH", path}}), toolkit);
}

TEST_F(NvrtcSearch, FindsTheWheelsBesideTheBuildAndPrefersThemWhenTold) {
  const std::string home = put("home/lib64/libnvrtc.so.13");
  const std::string wheel =
      put("build/cuda-venv/lib/python3.11/site-packages/nvidia/cu13/lib/libnvrtc.so.13");
  EXPECT_EQ(first({{"CUDA_HOME", at("home")}}), home);
  EXPECT_EQ(first({{"CUDA_HOME", at("home")}, {"FLASHCORE_CUDA", "wheels"}}), wheel);
}

TEST_F(NvrtcSearch, FindsTheWheelsOfANamedEnvironment) {
  const std::string wheel =
      put("venv/lib/python3.12/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12");
  EXPECT_EQ(first({{"FLASHCORE_CUDA_VENV", at("venv")}, {"FLASHCORE_CUDA", "wheels"}}), wheel);
}

TEST_F(NvrtcSearch, SaysWhereItLookedInVain) {
  CandidateList list = find({{"CUDA_HOME", at("empty")}});
  list.candidates = {{put("broken/libnvrtc.so.13"), true}};
  const LoadedNvrtc loaded = load_nvrtc(list);
  EXPECT_THAT(loaded.reason, HasSubstr("nothing in $CUDA_HOME (" + at("empty")));
  EXPECT_THAT(loaded.reason, HasSubstr("no nvcc on PATH"));
  EXPECT_THAT(loaded.reason, HasSubstr("build/cuda-venv"));
  EXPECT_THAT(loaded.reason, HasSubstr("broken/libnvrtc.so.13: file too short"));
}

TEST_F(NvrtcSearch, ALibraryThatIsNotNvrtcIsRefusedByName) {
  const LoadedNvrtc loaded = load_nvrtc({.candidates = {{"libm.so.6", false}}, .absent = {}});
  EXPECT_THAT(loaded.reason, HasSubstr("libm.so.6: has no nvrtcVersion"));
}

}  // namespace
}  // namespace flashcore::jit
