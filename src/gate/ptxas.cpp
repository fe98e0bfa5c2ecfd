#include "gate/ptxas.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/parallel.h"
#include "family/family.h"
#include "jit/compiler.h"
#include "jit/kernel_store.h"

namespace flashcore::gate {

PtxasRecord resource_report(const family::Family& family, const family::ConfigFields& config,
                            core::Arch arch) {
  PtxasRecord record{.report = {}, .register_budget = family.budget(config).registers};
  jit::ResourceReport& largest = record.report;
  for (const jit::KernelSpec& spec : family.kernels(config)) {
    const jit::ResourceReport report = jit::find_binary(spec, arch).binary.report;
    largest.registers = std::max(largest.registers, report.registers);
    largest.spill_bytes = std::max(largest.spill_bytes, report.spill_bytes);
    largest.stack_bytes = std::max(largest.stack_bytes, report.stack_bytes);
    largest.shared_bytes = std::max(largest.shared_bytes, report.shared_bytes);
    largest.barriers = std::max(largest.barriers, report.barriers);
    largest.serialized_products |= report.serialized_products;
  }
  largest.shared_bytes += family.budget(config).dynamic_shared_bytes;
  return record;
}

namespace {

struct ArchOutcome {
  PtxasRecord record;
  std::string failure;  // the compiler's words; empty where it compiled
};

ArchOutcome compile_for(const family::Family& family, const dispatch::Pinned& pinned,
                        const core::Problem& problem, core::Arch arch) {
  try {
    const auto config = family::overlaid(family.default_config(problem, core::limits_of(arch)),
                                         pinned.config.value_or(family::ConfigFields{}));
    return {resource_report(family, config, arch), ""};
  } catch (const core::Error& error) {
    return {{}, error.what()};
  }
}

}  // namespace

std::vector<Check> ptxas_checks(const std::map<std::string, PtxasRecord>& by_arch) {
  int over_budget = 0;
  int spill_bytes = 0;
  int stack_bytes = 0;
  int serialized = 0;
  for (const auto& [arch, record] : by_arch) {
    over_budget = std::max(over_budget, record.report.registers - record.register_budget);
    spill_bytes = std::max(spill_bytes, record.report.spill_bytes);
    stack_bytes = std::max(stack_bytes, record.report.stack_bytes);
    serialized += record.report.serialized_products ? 1 : 0;
  }
  return {{.what = "registers_over_budget", .measured = static_cast<double>(over_budget)},
          {.what = "spill_bytes", .measured = static_cast<double>(spill_bytes)},
          {.what = "stack_bytes", .measured = static_cast<double>(stack_bytes)},
          {.what = "archs_with_serialized_products", .measured = static_cast<double>(serialized)}};
}

PtxasOutcome run_ptxas(const dispatch::Variant& variant, const core::Problem& problem) {
  if (variant.backend == dispatch::Backend::cpu)
    return {skipped("a CPU variant has no kernels to compile"), {}};
  if (!jit::compiler_available())
    return {skipped("no NVRTC: " + jit::compiler_unavailable_reason()), {}};
  const family::Family* family = family::find_family(variant.family);
  if (family == nullptr) return {broken(fmt::format("there is no family {}", variant.family)), {}};

  const std::vector<core::Arch> archs = family->archs();
  for (const core::Arch arch : archs)
    if (const core::Support support = family->supports(problem, core::limits_of(arch)); !support)
      return {skipped(support.reason()), {}};
  std::vector<ArchOutcome> outcomes(archs.size());
  const dispatch::Pinned pinned = dispatch::pinned_of(variant);
  core::parallel_for(archs.size(), [&](std::size_t i) {
    outcomes[i] = compile_for(*family, pinned, problem, archs[i]);
  });

  PtxasOutcome outcome;
  std::string detail;
  for (std::size_t i = 0; i < archs.size(); ++i) {
    const auto& [record, failure] = outcomes[i];
    const std::string arch = archs[i].to_string();
    if (!failure.empty()) return {broken(fmt::format("{}: {}", arch, failure)), {}};
    outcome.by_arch[arch] = record;
    detail +=
        fmt::format("{}{} {} registers", detail.empty() ? "" : ", ", arch, record.report.registers);
  }
  outcome.result = judge(ptxas_checks(outcome.by_arch), detail);
  return outcome;
}

}  // namespace flashcore::gate
