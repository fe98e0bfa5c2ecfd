// The interface that every kernel family implements, and all that the tools know of one.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/gpu_limits.h"
#include "core/problem.h"
#include "core/support.h"
#include "cuda/kernel.h"
#include "family/config.h"
#include "jit/kernel_spec.h"

namespace flashcore::family {

/// What the family allows the compiler, and what it allots itself. Spills and stack are always 0.
struct ResourceBudget {
  int registers = 255;           // per thread
  int dynamic_shared_bytes = 0;  // per block, of the kernel that takes most: no compiler reports it
  /// Asynchronous copies into shared memory and matrix loads from it never meet at a bank.
  bool conflict_free_tiles = false;
};

/// A Problem and a Config turned into launches: everything but the call's pointers is worked out.
class PreparedLaunch {
 public:
  PreparedLaunch() = default;
  PreparedLaunch(const PreparedLaunch&) = delete;
  PreparedLaunch& operator=(const PreparedLaunch&) = delete;
  virtual ~PreparedLaunch() = default;

  /// Queues the work. `kernels` are those of Family::kernels(config), in that order. Allocates
  /// nothing and does not synchronise.
  virtual void launch(std::span<const cuda::Kernel> kernels, const core::Arguments& arguments,
                      cuda::StreamHandle stream) const = 0;
  /// One shape per kernel, in the same order.
  [[nodiscard]] virtual std::vector<cuda::LaunchShape> shapes() const = 0;
  [[nodiscard]] virtual std::size_t workspace_bytes() const { return 0; }
};

/// One way to compute one operation. Implementations are stateless.
class Family {
 public:
  Family() = default;
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;
  virtual ~Family() = default;

  /// "forward_scalar"
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// One line for `flashcore info`.
  [[nodiscard]] virtual std::string_view summary() const = 0;
  /// The architectures it claims to compile for and run on.
  [[nodiscard]] virtual std::vector<core::Arch> archs() const = 0;

  [[nodiscard]] virtual core::Support supports(const core::Problem& problem,
                                               const core::GpuLimits& gpu) const = 0;
  /// Whether it is the one to take where it and slower families support the Problem, and why not.
  [[nodiscard]] virtual core::Support prefers(const core::Problem& /*problem*/,
                                              const core::GpuLimits& /*gpu*/) const {
    return core::Support::yes();
  }
  /// Whether the Config is one that compiles and runs on such a GPU, for any Problem.
  [[nodiscard]] virtual core::Support valid(const ConfigFields& config,
                                            const core::GpuLimits& gpu) const = 0;
  /// The Config used where no tuned record says otherwise. The Problem is one that it supports.
  [[nodiscard]] virtual ConfigFields default_config(const core::Problem& problem,
                                                    const core::GpuLimits& gpu) const = 0;
  /// Every valid Config for the Problem: what the tuner searches.
  [[nodiscard]] virtual std::vector<ConfigFields> space(const core::Problem& problem,
                                                        const core::GpuLimits& gpu) const = 0;
  /// The default Configs over all Problems: what an installed pack holds.
  [[nodiscard]] virtual std::vector<ConfigFields> shipped_configs(
      const core::GpuLimits& gpu) const = 0;

  [[nodiscard]] virtual std::vector<jit::KernelSpec> kernels(const ConfigFields& config) const = 0;
  [[nodiscard]] virtual ResourceBudget budget(const ConfigFields& config) const = 0;
  [[nodiscard]] virtual std::unique_ptr<PreparedLaunch> prepare(
      const core::Problem& problem, const ConfigFields& config,
      const core::GpuLimits& gpu) const = 0;
};

/// Every family, slowest first: the order of the ladder.
std::span<const Family* const> all_families();

/// Null where there is none of that name.
const Family* find_family(std::string_view name);

}  // namespace flashcore::family
