#include "dispatch/selection.h"

#include <algorithm>
#include <optional>
#include <ranges>
#include <vector>

#include "core/error.h"
#include "cuda/driver.h"
#include "jit/compiler.h"

namespace flashcore::dispatch {
namespace {

bool has_kernels(const family::Family& family, const family::ConfigFields& config, core::Arch arch,
                 const Obtainable& obtainable) {
  const auto specs = family.kernels(config);
  return std::all_of(specs.begin(), specs.end(),
                     [&](const jit::KernelSpec& spec) { return obtainable(spec, arch); });
}

bool serves(const family::Family& family, const core::Problem& problem,
            const family::ConfigFields& config, const core::GpuLimits& gpu) {
  try {
    return family.prepare(problem, config, gpu) != nullptr;
  } catch (const core::Error&) {
    return false;
  }
}

/// Of the Configs that the family ships, one that serves the Problem and can be had.
std::optional<family::ConfigFields> shipped_config(const family::Family& family,
                                                   const core::Problem& problem,
                                                   const core::GpuLimits& gpu,
                                                   const Obtainable& obtainable) {
  for (const auto& config : family.shipped_configs(gpu))
    if (has_kernels(family, config, gpu.arch, obtainable) && serves(family, problem, config, gpu))
      return config;
  return std::nullopt;
}

/// The families that support the Problem, the fastest first; why others do not, and why a faster
/// one comes after slower ones.
std::vector<const family::Family*> by_preference(const core::Problem& problem,
                                                 const core::GpuLimits& gpu, std::string& reasons) {
  std::vector<const family::Family*> preferred;
  std::vector<const family::Family*> others;
  for (const family::Family* family : family::all_families() | std::views::reverse) {
    if (const core::Support support = family->supports(problem, gpu); !support) {
      reasons += "; " + support.reason();
    } else if (const core::Support preference = family->prefers(problem, gpu); !preference) {
      reasons += "; " + preference.reason();
      others.push_back(family);
    } else {
      preferred.push_back(family);
    }
  }
  preferred.insert(preferred.end(), others.begin(), others.end());
  return preferred;
}

}  // namespace

TunedAnswer untuned(const family::Family& /*family*/, const core::Problem& /*problem*/) {
  return {};
}

TunedLookup tuned_for(const Device& device) {
  if (device.backend != Backend::cuda) return untuned;
  return [ordinal = device.ordinal](const family::Family& family, const core::Problem& problem) {
    const cuda::DeviceInfo& gpu = cuda::device_info(ordinal);
    return find_tuned(family, problem, gpu.name, gpu.limits);
  };
}

Selection own_config(const family::Family& family, const core::Problem& problem,
                     const core::GpuLimits& gpu, const TunedLookup& tuned) {
  TunedAnswer answer = tuned(family, problem);
  if (answer.match != TunedMatch::none)
    return {&family, std::move(answer.config), std::move(answer.reason)};
  const std::string why = answer.reason.empty() ? "" : "; " + answer.reason;
  return {&family, family.default_config(problem, gpu), "its default Config" + why};
}

Selection select(const core::Problem& problem, const core::GpuLimits& gpu,
                 const Obtainable& obtainable, const TunedLookup& tuned) {
  std::string refusals;  // each with "; " before it
  for (const family::Family* family : by_preference(problem, gpu, refusals)) {
    const Selection own = own_config(*family, problem, gpu, tuned);
    if (has_kernels(*family, own.config, gpu.arch, obtainable))
      return {family, own.config, "the fastest family that supports it; " + own.reason + refusals};
    const auto config = family->default_config(problem, gpu);
    if (config != own.config && has_kernels(*family, config, gpu.arch, obtainable))
      return {family, config,
              fmt::format("the fastest family that supports it; its default Config; there is no "
                          "compiler for the one that was {}{}",
                          own.reason, refusals)};
    const std::string why = jit::compiler_unavailable_reason();
    const std::string missing =
        fmt::format("; {}'s default Config {} is in no pack, and there is no compiler{}{}",
                    family->name(), config.to_string(), why.empty() ? "" : ": ", why);
    if (const auto shipped = shipped_config(*family, problem, gpu, obtainable))
      return {family, *shipped,
              fmt::format("the fastest family that supports it; a Config that it ships{}{}",
                          missing, refusals)};
    refusals += missing;
  }
  return {nullptr, {}, refusals.empty() ? refusals : refusals.substr(2)};
}

Selection select(const core::Problem& problem, const Device& device) {
  if (device.backend != Backend::emulator)
    return select(problem, limits_of(device), jit::obtainable, tuned_for(device));
  return select(problem, limits_of(device),
                [](const jit::KernelSpec&, core::Arch) { return true; });
}

}  // namespace flashcore::dispatch
