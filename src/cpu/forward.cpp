#include "cpu/forward.h"

#include <algorithm>
#include <cstdint>

#include "core/error.h"

namespace flashcore::cpu {

using core::Arguments;
using core::Problem;

namespace {

/// Below this many multiply-adds a thread costs more to wake than it saves.
constexpr double worth_a_thread = 2e5;

constexpr std::uintptr_t workspace_alignment = 64;

void check_workspace(const Arguments& arguments, std::size_t needed) {
  if (arguments.workspace == nullptr || arguments.workspace_bytes < needed)
    core::fail(core::Status::invalid_argument, "workspace: {} bytes given, {} needed",
               arguments.workspace == nullptr ? 0 : arguments.workspace_bytes, needed);
  const auto misaligned =
      reinterpret_cast<std::uintptr_t>(arguments.workspace) % workspace_alignment;
  if (misaligned != 0)
    core::fail(core::Status::invalid_argument,
               "workspace: the address is {} bytes past a multiple of {}, it must be a multiple",
               misaligned, workspace_alignment);
}

struct Call {
  Task task;
  const SimdKernel* kernel;
  std::byte* workspace;
  std::size_t bytes_per_thread;
};

void run_item(const void* context, std::int64_t index, int slot) {
  const Call& call = *static_cast<const Call*>(context);
  const Problem& problem = *call.task.problem;
  std::byte* memory = call.workspace + static_cast<std::size_t>(slot) * call.bytes_per_thread;
  call.kernel->attend(call.task, item_at(problem, call.task.blocking, index),
                      make_scratch(problem, call.task.blocking, memory));
}

int threads_worth_waking(const Problem& p, int threads) {
  const double multiply_adds = 2.0 * static_cast<double>(p.batch * p.heads_q * p.head_dim) *
                               static_cast<double>(p.seq_q) * static_cast<double>(p.seq_kv);
  return static_cast<int>(
      std::clamp(multiply_adds / worth_a_thread, 1.0, static_cast<double>(threads)));
}

}  // namespace

std::size_t workspace_bytes(const Problem& problem, const SimdKernel& kernel, int threads) {
  const Blocking blocking = make_blocking(problem, kernel.shape, threads);
  return scratch_bytes(problem, blocking) *
         static_cast<std::size_t>(std::min<std::int64_t>(threads, blocking.items));
}

void forward(const Problem& problem, const Arguments& arguments, const SimdKernel& kernel,
             ThreadPool& pool) {
  const Blocking blocking = make_blocking(problem, kernel.shape, pool.threads());
  check_workspace(arguments, workspace_bytes(problem, kernel, pool.threads()));
  const Call call{{&problem, &arguments, blocking},
                  &kernel,
                  static_cast<std::byte*>(arguments.workspace),
                  scratch_bytes(problem, blocking)};
  pool.run(blocking.items, threads_worth_waking(problem, pool.threads()), run_item, &call);
}

}  // namespace flashcore::cpu
