// Compiles the kernel once per instruction set and picks among the results.
//
// Highway is used as headers only. Its own run-time dispatch (HWY_EXPORT) lives in libhwy, which
// Debian ships as a shared library alone, and our binaries must run where it is not installed. So
// the CPU is asked here, and nothing that libhwy defines (hwy::SupportedTargets, hwy::Abort, its
// allocator) is ever called.

// SSSE3 adds nothing over SSE4, and SVE nothing that NEON-length panels would use.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#define HWY_DISABLE_PCLMUL_AES  // not used, and an AVX2 machine need not have them
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/simd_kernel.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

#include "cpu/simd/attend-inl.h"

#if HWY_ONCE

#include <array>
#include <cstddef>

#include "cpu/simd_kernel.h"

namespace flashcore::cpu {

namespace {

#if HWY_TARGETS & HWY_AVX3
bool has_avx3() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

#if HWY_TARGETS & HWY_AVX2
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2");
}
#endif

class KernelList {
 public:
  KernelList() {
#if HWY_TARGETS & HWY_AVX3
    if (has_avx2() && has_avx3()) add(N_AVX3::kernel());
#endif
#if HWY_TARGETS & HWY_AVX2
    if (has_avx2()) add(N_AVX2::kernel());
#endif
#if HWY_TARGETS & HWY_SSE4
    if (__builtin_cpu_supports("sse4.2")) add(N_SSE4::kernel());
#endif
    add(HWY_STATIC_DISPATCH(kernel)());
  }
  [[nodiscard]] std::span<const SimdKernel> available() const {
    return {kernels_.data(), count_};
  }

 private:
  void add(const SimdKernel& kernel) {
    for (std::size_t i = 0; i < count_; ++i)  // the baseline may be one that is in already
      if (kernels_[i].attend == kernel.attend) return;
    kernels_[count_++] = kernel;
  }

  std::array<SimdKernel, 4> kernels_{};
  std::size_t count_ = 0;
};

}  // namespace

std::span<const SimdKernel> available_kernels() {
  static const KernelList list;
  return list.available();
}

}  // namespace flashcore::cpu

#endif  // HWY_ONCE
