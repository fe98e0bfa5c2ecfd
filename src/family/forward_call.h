// What the host sides of the forward families share: from a Problem to a kernel's argument and
// grid.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "core/gpu_limits.h"
#include "core/problem.h"
#include "core/support.h"
#include "device/attention/narrow_call.h"
#include "device/element.h"
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

/// The same for kernels that count in 32 bits, as far as the Problem gives it.
device::NarrowParams narrow_params(const core::Problem& problem, int block_q);
/// The pointers and the scale, whose sign goes to Q: kernels take the largest score for the largest
/// weight.
void set_narrow_arguments(const core::Arguments& arguments, device::NarrowParams& params);
/// Lengths that 32 bits do not hold.
core::Support fits_narrow(const core::Problem& problem, std::string_view family);

/// Whether one block for each block_q rows of each head fits a grid.
core::Support fits_grid(const core::Problem& problem, int block_q, std::string_view family);

/// Throws invalid_argument where a Config asks for more blocks than a grid has, or for more rows
/// than a merge of kv_splits counts.
void check_grid(const core::Problem& problem, int block_q, int kv_splits = 1);

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
constexpr device::Element element_of(core::Dtype dtype) {
  return dtype == core::Dtype::float16 ? device::Element::float16 : device::Element::bfloat16;
}

/// The head_dims that families of the tensor cores are compiled for: a Problem's is rounded up.
inline constexpr std::array tensor_core_head_dims{32, 64, 96, 128, 192, 256};

/// The smallest that holds head_dim, which is at most the largest.
int head_dim_capacity(std::int64_t head_dim);

/// What a family needs that loads fp16 or bf16 16 bytes at a time, for head_dim up to 256.
core::Support supports_vectors(const core::Problem& problem, const core::GpuLimits& gpu,
                               std::string_view family);

/// Whether a Config's element and head_dim are ones that fragments of 16 can be made of.
core::Support valid_head(device::Element element, int head_dim);

/// Whether a block of the GPU has that much shared memory.
core::Support fits_shared_memory(int bytes, const core::GpuLimits& gpu);

/// What the register file leaves a thread of one block, in the hardware's steps of 8: a block of 13
/// warps has 4 on one of the multiprocessor's partitions, as one of 16 has.
int registers_per_thread(int threads, const core::GpuLimits& gpu);

/// Throws invalid_argument where a Config is for another element or a smaller head_dim.
void check_serves(device::Element element, int head_dim, const core::Problem& problem);

}  // namespace flashcore::family
