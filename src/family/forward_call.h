// What the host sides of the forward families share: from a Problem to a kernel's argument and
// grid.
#pragma once

#include <vector>

#include "core/gpu_limits.h"
#include "core/problem.h"
#include "core/support.h"
#include "device/attention/forward_params.h"
#include "family/family.h"

namespace flashcore::family {

/// Blocks of block_q query rows that cover seq_q.
inline long long q_blocks(const core::Problem& problem, int block_q) {
  return (problem.seq_q + block_q - 1) / block_q;
}

/// All that does not differ from call to call.
device::ForwardParams forward_params(const core::Problem& problem, int block_q);

/// Puts in what does.
void set_arguments(const core::Arguments& arguments, device::ForwardParams& params);

/// Whether one block for each block_q rows of each head fits a grid.
core::Support fits_grid(const core::Problem& problem, int block_q, std::string_view family);

/// One kernel, one block for every block_q query rows of every head.
class ForwardLaunch final : public PreparedLaunch {
 public:
  ForwardLaunch(const core::Problem& problem, int block_q, int threads, int shared_bytes);

  void launch(std::span<const cuda::Kernel> kernels, const core::Arguments& arguments,
              cuda::StreamHandle stream) const override;
  [[nodiscard]] std::vector<cuda::LaunchShape> shapes() const override { return {shape_}; }

 private:
  cuda::LaunchShape shape_;
  device::ForwardParams params_;
};

/// A Config's element for a dtype that the GPU families compute.
template <typename Element>
Element element_of(core::Dtype dtype) {
  return dtype == core::Dtype::float16 ? Element::float16 : Element::bfloat16;
}

}  // namespace flashcore::family
