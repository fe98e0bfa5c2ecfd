#include "cpu/backend.h"

#include <fmt/format.h>

#include <cstdint>

#include "core/error.h"
#include "cpu/forward.h"
#include "cpu/simd_kernel.h"
#include "cpu/thread_pool.h"

namespace flashcore::cpu {

using core::Arguments;
using core::Problem;

namespace {

const SimdKernel& best_kernel() {
  return available_kernels().front();
}

}  // namespace

core::Support supports(const Problem&) {
  return core::Support::yes();
}

std::string describe(const Problem& problem) {
  const Blocking blocking = make_blocking(problem, best_kernel().shape, thread_count());
  return fmt::format("block_q={},block_kv={},threads={},simd={}", blocking.rows, blocking.block_kv,
                     thread_count(), best_kernel().name);
}

std::size_t workspace_bytes(const Problem& problem) {
  return workspace_bytes(problem, best_kernel(), thread_count());
}

void attention_forward(const Problem& problem, const Arguments& arguments) {
  forward(problem, arguments, best_kernel(), process_pool());
}

std::string simd_target() {
  return best_kernel().name;
}

int thread_count() {
  return process_pool().threads();
}

}  // namespace flashcore::cpu
