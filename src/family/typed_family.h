// The part of a Family that is the same for all: between ConfigFields, which the tools carry, and
// the family's own Config.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "family/family.h"
#include "family/forward_call.h"

namespace flashcore::family {

template <typename Config>
class TypedFamily : public Family {
 public:
  /// Every architecture that there is code for; a family that needs a newer one says so.
  [[nodiscard]] std::vector<core::Arch> archs() const override {
    return {core::known_archs.begin(), core::known_archs.end()};
  }
  [[nodiscard]] core::Support valid(const ConfigFields& config,
                                    const core::GpuLimits& gpu) const final {
    return valid(from_fields<Config>(config), gpu);
  }
  [[nodiscard]] ConfigFields default_config(const core::Problem& problem,
                                            const core::GpuLimits& gpu) const final {
    return to_fields(choose_default(problem, gpu));
  }
  [[nodiscard]] std::vector<ConfigFields> space(const core::Problem& problem,
                                                const core::GpuLimits& gpu) const final {
    return erase(candidates(problem, gpu), gpu);
  }
  [[nodiscard]] std::vector<ConfigFields> shipped_configs(const core::GpuLimits& gpu) const final {
    return erase(shipped(gpu), gpu);
  }
  [[nodiscard]] std::vector<jit::KernelSpec> kernels(const ConfigFields& config) const final {
    return kernels(from_fields<Config>(config));
  }
  [[nodiscard]] ResourceBudget budget(const ConfigFields& config) const final {
    return budget(from_fields<Config>(config));
  }
  [[nodiscard]] std::unique_ptr<PreparedLaunch> prepare(const core::Problem& problem,
                                                        const ConfigFields& config,
                                                        const core::GpuLimits& gpu) const final {
    const auto typed = from_fields<Config>(config);
    if (const core::Support support = valid(typed, gpu); !support)
      core::fail(core::Status::invalid_argument, "config: {}", support.reason());
    check_serves(typed.element, typed.head_dim, problem);
    return launch_of(problem, typed, gpu);
  }

 protected:
  [[nodiscard]] virtual core::Support valid(const Config& config,
                                            const core::GpuLimits& gpu) const = 0;
  [[nodiscard]] virtual Config choose_default(const core::Problem& problem,
                                              const core::GpuLimits& gpu) const = 0;
  /// The Configs worth trying; those that are not valid are dropped by the caller.
  [[nodiscard]] virtual std::vector<Config> candidates(const core::Problem& problem,
                                                       const core::GpuLimits& gpu) const = 0;
  [[nodiscard]] virtual std::vector<Config> shipped(const core::GpuLimits& gpu) const = 0;
  [[nodiscard]] virtual std::vector<jit::KernelSpec> kernels(const Config& config) const = 0;
  [[nodiscard]] virtual ResourceBudget budget(const Config& config) const = 0;
  /// The Config is valid and serves the Problem.
  [[nodiscard]] virtual std::unique_ptr<PreparedLaunch> launch_of(
      const core::Problem& problem, const Config& config, const core::GpuLimits& gpu) const = 0;

  /// `forward` of the room's kernel.cuh, or another template of one of its files.
  [[nodiscard]] jit::KernelSpec kernel_of(const Config& config,
                                          std::string_view file = "kernel.cuh",
                                          std::string_view kernel = "forward") const {
    const auto room = fmt::format("flashcore::{}", name());
    return {.entry = fmt::format("{}/{}", name(), file),
            .name_expression =
                fmt::format("{}::{}<{}>", room, kernel, to_literal(room + "::Config", config))};
  }

 private:
  [[nodiscard]] std::vector<ConfigFields> erase(const std::vector<Config>& configs,
                                                const core::GpuLimits& gpu) const {
    std::vector<ConfigFields> fields;
    for (const Config& config : configs)
      if (valid(config, gpu)) fields.push_back(to_fields(config));
    return fields;
  }
};

}  // namespace flashcore::family
