// What every GPU test starts from: a GPU, or a skip that says why there is none.
#pragma once

#include <gtest/gtest.h>

#include <array>

#include "core/dtype.h"
#include "cuda/driver.h"
#include "dispatch/dispatch.h"
#include "family/family.h"
#include "support/problem_count.h"

namespace flashcore::test {

inline constexpr dispatch::Device gpu{dispatch::Backend::cuda, 0};
inline constexpr std::array gpu_dtypes{core::Dtype::float16, core::Dtype::bfloat16};

class GpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!cuda::driver_available()) GTEST_SKIP() << "no GPU: " << cuda::driver_unavailable_reason();
    if (cuda::device_count() == 0) GTEST_SKIP() << "no GPU: the driver finds none";
  }
};

/// The families that claim this machine's first GPU.
inline std::vector<const family::Family*> families_here() {
  std::vector<const family::Family*> families;
  const auto arch = cuda::device_info(0).limits.arch;
  for (const auto* family : family::all_families())
    for (const auto claimed : family->archs())
      if (claimed.number() == arch.number()) {
        families.push_back(family);
        break;
      }
  return families;
}

}  // namespace flashcore::test
