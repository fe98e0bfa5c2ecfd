#include "jit/header_search.h"

#include <gmock/gmock.h>

#include "support/temp_dir.h"

namespace flashcore::jit {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class HeaderSearch : public ::testing::Test {
 protected:
  fs::path put(const fs::path& relative, const std::string& text = "") {
    const fs::path file = directory_.path() / relative;
    fs::create_directories(file.parent_path());
    test::write_text(file, text);
    return file;
  }
  fs::path at(const char* relative) { return directory_.path() / relative; }

  test::TempDir directory_;
};

TEST_F(HeaderSearch, AToolkitHasCcclBelowItsHeaders) {
  const fs::path nvrtc = put("cuda/lib64/libnvrtc.so.13");
  put("cuda/include/mma.h");
  put("cuda/include/cccl/cuda/pipeline");
  const HeaderFolders headers = find_header_folders(nvrtc);
  EXPECT_THAT(headers.folders, ElementsAre(at("cuda/include"), at("cuda/include/cccl")));
  EXPECT_EQ(missing_header(headers, {"mma.h", "cuda/pipeline"}), "");
}

TEST_F(HeaderSearch, FollowsALinkToTheToolkitsOwnFolder) {
  const fs::path nvrtc = put("real/lib/libnvrtc.so.13.0");
  put("real/include/mma.h");
  fs::create_directories(at("links"));
  fs::create_symlink(nvrtc, at("links/libnvrtc.so.13"));
  EXPECT_EQ(missing_header(find_header_folders(at("links/libnvrtc.so.13")), {"mma.h"}), "");
}

TEST_F(HeaderSearch, TheWheelsForCuda13ShareAFolder) {
  const fs::path nvrtc = put("venv/nvidia/cu13/lib/libnvrtc.so.13");
  put("venv/nvidia/cu13/include/mma.h");
  put("venv/nvidia/cu13/include/cccl/cuda/pipeline");
  EXPECT_EQ(missing_header(find_header_folders(nvrtc), {"cuda/pipeline", "mma.h"}), "");
}

TEST_F(HeaderSearch, TheWheelsForCuda12HaveAFolderEach) {
  const fs::path nvrtc = put("venv/nvidia/cuda_nvrtc/lib/libnvrtc.so.12");
  put("venv/nvidia/cuda_runtime/include/mma.h");
  put("venv/nvidia/cuda_nvcc/include/crt/mma.h");
  put("venv/nvidia/cuda_cccl/include/cuda/pipeline");
  EXPECT_EQ(missing_header(find_header_folders(nvrtc), {"cuda/pipeline", "mma.h", "crt/mma.h"}),
            "");
}

TEST_F(HeaderSearch, SaysWhichHeaderIsMissingAndWhereItLooked) {
  const fs::path nvrtc = put("cuda/lib64/libnvrtc.so.13");
  put("cuda/include/mma.h");
  const std::string message =
      missing_header(find_header_folders(nvrtc), {"mma.h", "cuda/pipeline"});
  EXPECT_THAT(message, HasSubstr("<cuda/pipeline>"));
  EXPECT_THAT(message, HasSubstr("not in " + at("cuda/include").string() + ";"));
  EXPECT_THAT(message, HasSubstr("no " + at("cuda/include/cccl").string()));
}

TEST_F(HeaderSearch, AnotherVersionOfTheHeadersIsAnotherIdentity) {
  const fs::path nvrtc = put("cuda/lib64/libnvrtc.so.13");
  EXPECT_EQ(identity_of_headers(find_header_folders(nvrtc)), 0U);
  put("cuda/include/cuda_runtime_api.h", "13000");
  const auto runtime = identity_of_headers(find_header_folders(nvrtc));
  put("cuda/include/cccl/cuda/std/__cccl/version.h", "3000001");
  const auto with_cccl = identity_of_headers(find_header_folders(nvrtc));
  put("cuda/include/cccl/cuda/std/__cccl/version.h", "newer: 3000002");
  const auto newer = identity_of_headers(find_header_folders(nvrtc));
  EXPECT_NE(runtime, 0U);
  EXPECT_NE(runtime, with_cccl);
  EXPECT_NE(with_cccl, newer);
}

}  // namespace
}  // namespace flashcore::jit
