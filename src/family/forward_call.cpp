#include "family/forward_call.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/error.h"

namespace flashcore::family {
namespace {

constexpr long long max_grid = 2147483647;

device::RowStrides row_strides(const core::Strides& strides) {
  return {strides.batch, strides.head, strides.seq};
}

}  // namespace

device::ForwardParams forward_params(const core::Problem& problem, int block_q) {
  return {.q_strides = row_strides(problem.q_strides),
          .k_strides = row_strides(problem.k_strides),
          .v_strides = row_strides(problem.v_strides),
          .o_strides = row_strides(problem.o_strides),
          .lse_strides = row_strides(problem.lse_strides),
          .band = problem.band(),
          .seq_q = problem.seq_q,
          .seq_kv = problem.seq_kv,
          .q_blocks = device::make_divisor(static_cast<unsigned>(q_blocks(problem, block_q))),
          .heads_q = device::make_divisor(static_cast<unsigned>(problem.heads_q)),
          .group_size = device::make_divisor(static_cast<unsigned>(problem.group_size())),
          .head_dim = static_cast<int>(problem.head_dim)};
}

void set_arguments(const core::Arguments& arguments, device::ForwardParams& params) {
  params.g_q = arguments.q;
  params.g_k = arguments.k;
  params.g_v = arguments.v;
  params.g_o = arguments.o;
  params.g_lse = arguments.lse;
  params.scale_log2e = arguments.scale * std::numbers::log2e_v<float>;
}

device::NarrowParams narrow_params(const core::Problem& problem, int block_q) {
  const auto clamped = [](long long bound) {
    return static_cast<int>(std::clamp<long long>(bound, -device::band_limit, device::band_limit));
  };
  device::NarrowParams params;
  static_cast<device::ForwardParams&>(params) = forward_params(problem, block_q);
  params.band_low = clamped(params.band.low);
  params.band_high = clamped(params.band.high);
  return params;
}

void set_narrow_arguments(const core::Arguments& arguments, device::NarrowParams& params) {
  set_arguments(arguments, params);
  if (params.scale_log2e < 0) params.flip_q_sign = 0x80008000U;
  params.scale_log2e = std::max(std::abs(params.scale_log2e), std::numeric_limits<float>::min());
}

core::Support fits_narrow(const core::Problem& problem, std::string_view family) {
  if (std::max(problem.seq_q, problem.seq_kv) < device::band_limit) return core::Support::yes();
  return core::Support::no("{} takes lengths below {}, they are {} and {}", family,
                           device::band_limit, problem.seq_q, problem.seq_kv);
}

core::Support fits_grid(const core::Problem& problem, int block_q, std::string_view family) {
  if (q_blocks(problem, block_q) <= max_grid / problem.heads_q / problem.batch)
    return core::Support::yes();
  return core::Support::no("{}: {} needs more than {} blocks", family, problem.to_string(),
                           max_grid);
}

int head_dim_capacity(std::int64_t head_dim) {
  for (const int capacity : tensor_core_head_dims)
    if (head_dim <= capacity) return capacity;
  core::fail(core::Status::internal, "no capacity for head_dim {}", head_dim);
}

core::Support supports_vectors(const core::Problem& problem, const core::GpuLimits& gpu,
                               std::string_view family) {
  constexpr int vector_bytes = 16;
  constexpr int vector = 8;  // elements
  if (gpu.arch.number() < 80)
    return core::Support::no("{} needs sm_80 or newer, the GPU is {}", family,
                             gpu.arch.to_string());
  if (problem.dtype == core::Dtype::float32)
    return core::Support::no("{} computes fp16 and bf16, the tensors are fp32", family);
  if (problem.head_dim > tensor_core_head_dims.back())
    return core::Support::no("{} takes head_dim up to {}, head_dim is {}", family,
                             tensor_core_head_dims.back(), problem.head_dim);
  if (problem.head_dim % vector != 0)
    return core::Support::no("{} takes head_dim in multiples of {}, head_dim is {}", family, vector,
                             problem.head_dim);
  if (problem.alignment < vector_bytes)
    return core::Support::no("{} loads {} bytes at a time, and rows are aligned to {}", family,
                             vector_bytes, problem.alignment);
  return core::Support::yes();
}

core::Support valid_head(device::Element element, int head_dim) {
  if (element != device::Element::float16 && element != device::Element::bfloat16)
    return core::Support::no("element {} is neither 0 (fp16) nor 1 (bf16)",
                             static_cast<int>(element));
  if (head_dim < 16 || head_dim % 16 != 0 || head_dim > tensor_core_head_dims.back())
    return core::Support::no("head_dim {} is not a multiple of 16 up to {}", head_dim,
                             tensor_core_head_dims.back());
  return core::Support::yes();
}

core::Support fits_shared_memory(int bytes, const core::GpuLimits& gpu) {
  if (bytes <= gpu.shared_bytes_per_block) return core::Support::yes();
  return core::Support::no("the tiles take {} bytes of shared memory, a block of {} has {}", bytes,
                           gpu.arch.to_string(), gpu.shared_bytes_per_block);
}

int registers_per_thread(int threads, const core::GpuLimits& gpu) {
  constexpr int partitions = 4;  // of a multiprocessor, each with its warps and its registers
  const int warps = (threads + 31) / 32;
  const int threads_of_partition = (warps + partitions - 1) / partitions * 32;
  return std::min(gpu.registers_per_multiprocessor / partitions / threads_of_partition / 8 * 8,
                  255);
}

void check_serves(device::Element element, int head_dim, const core::Problem& problem) {
  if (problem.head_dim > head_dim || element != element_of(problem.dtype))
    core::fail(core::Status::invalid_argument, "config: head_dim {}, element {} does not serve {}",
               head_dim, static_cast<int>(element), problem.to_string());
}

void check_grid(const core::Problem& problem, int block_q, int kv_splits) {
  const long long heads = problem.heads_q * problem.batch;
  const long long rows = kv_splits > 1 ? problem.seq_q : q_blocks(problem, block_q);
  if (std::max(rows, q_blocks(problem, block_q) * kv_splits) > max_grid / heads)
    core::fail(core::Status::invalid_argument,
               "config: blocks of {} rows, kv_splits {}: {} needs more than {} blocks", block_q,
               kv_splits, problem.to_string(), max_grid);
}

ForwardLaunch::ForwardLaunch(const core::Problem& problem, int block_q, int threads,
                             int shared_bytes)
    : shape_{.grid = static_cast<unsigned>(q_blocks(problem, block_q) * problem.heads_q *
                                           problem.batch),
             .block = static_cast<unsigned>(threads),
             .shared_bytes = static_cast<unsigned>(shared_bytes)},
      params_(forward_params(problem, block_q)) {
  check_grid(problem, block_q);
}

void ForwardLaunch::launch(std::span<const cuda::Kernel> kernels, const core::Arguments& arguments,
                           cuda::StreamHandle stream) const {
  device::ForwardParams params = params_;
  set_arguments(arguments, params);
  kernels[0].launch(shape_, stream, params);
}

}  // namespace flashcore::family
