#include "family/forward_call.h"

#include <numbers>

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
          .q_blocks = q_blocks(problem, block_q),
          .heads_q = static_cast<int>(problem.heads_q),
          .group_size = static_cast<int>(problem.group_size()),
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

core::Support fits_grid(const core::Problem& problem, int block_q, std::string_view family) {
  if (q_blocks(problem, block_q) <= max_grid / problem.heads_q / problem.batch)
    return core::Support::yes();
  return core::Support::no("{}: {} needs more than {} blocks", family, problem.to_string(),
                           max_grid);
}

ForwardLaunch::ForwardLaunch(const core::Problem& problem, int block_q, int threads,
                             int shared_bytes)
    : shape_{.grid = static_cast<unsigned>(q_blocks(problem, block_q) * problem.heads_q *
                                           problem.batch),
             .block = static_cast<unsigned>(threads),
             .shared_bytes = static_cast<unsigned>(shared_bytes)},
      params_(forward_params(problem, block_q)) {}

void ForwardLaunch::launch(std::span<const cuda::Kernel> kernels, const core::Arguments& arguments,
                           cuda::StreamHandle stream) const {
  device::ForwardParams params = params_;
  set_arguments(arguments, params);
  kernels[0].launch(shape_, stream, params);
}

}  // namespace flashcore::family
