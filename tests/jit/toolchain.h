// What the tests here share: small device sources, and skipping where there is no compiler.
#pragma once

#include <gtest/gtest.h>

#include <array>

#include "jit/compiler.h"

#define REQUIRE_COMPILER() \
  if (!flashcore::jit::compiler_available()) GTEST_SKIP() << compiler_unavailable_reason()

namespace flashcore::jit {

inline constexpr core::Arch sm_80{8, 0};
inline constexpr core::Arch sm_90a{9, 0, true};

/// `demo::scale<demo::Config{…}>` over a shared header, and a header that it does not include.
inline constexpr std::array<EmbeddedSource, 3> demo_sources{
    EmbeddedSource{"demo/kernel.cuh", R"(
#pragma once
#include "demo/config.h"
namespace demo {
template <Config C>
__global__ void __launch_bounds__(C.threads) scale(float* data) {
  __shared__ float s_data[C.threads];
  s_data[threadIdx.x] = data[threadIdx.x];
  __syncthreads();
  data[threadIdx.x] = twice(s_data[C.threads - 1 - threadIdx.x]);
}
}  // namespace demo
)"},
    EmbeddedSource{"demo/config.h", R"(
#pragma once
namespace demo {
struct Config { int threads = 32; };
constexpr float twice(float x) { return 2.0F * x; }
}  // namespace demo
)"},
    EmbeddedSource{"other/unrelated.h", "#pragma once\n"},
};

inline KernelSpec demo_spec(int threads = 64) {
  return {"demo/kernel.cuh", "demo::scale<demo::Config{.threads=" + std::to_string(threads) + "}>"};
}

}  // namespace flashcore::jit
