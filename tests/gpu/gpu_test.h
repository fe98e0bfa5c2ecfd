// What every GPU test starts from: a GPU, or a skip that says why there is none.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/parallel.h"
#include "cuda/driver.h"
#include "dispatch/dispatch.h"
#include "family/family.h"
#include "gate/target.h"
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

/// A call and what is to serve it.
struct PinnedCall {
  core::Problem problem;
  dispatch::Pinned pinned;
};

/// Their kernels, compiled side by side.
inline std::vector<std::unique_ptr<gate::Target>> targets_of(const std::vector<PinnedCall>& calls) {
  std::vector<std::unique_ptr<gate::Target>> targets(calls.size());
  core::parallel_for(calls.size(), [&](std::size_t i) {
    targets[i] = std::make_unique<gate::Target>(calls[i].problem, gpu, calls[i].pinned);
  });
  return targets;
}

}  // namespace flashcore::test
