// The part of a Family that is the same for all: between ConfigFields, which the tools carry, and
// the family's own Config.
#pragma once

#include <memory>
#include <vector>

#include "family/family.h"

namespace flashcore::family {

template <typename Config>
class TypedFamily : public Family {
 public:
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
    return prepare(problem, from_fields<Config>(config), gpu);
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
  [[nodiscard]] virtual std::unique_ptr<PreparedLaunch> prepare(
      const core::Problem& problem, const Config& config, const core::GpuLimits& gpu) const = 0;

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
