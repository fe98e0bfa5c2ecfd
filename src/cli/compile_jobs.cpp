#include "cli/compile_jobs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "jit/compiler.h"

namespace flashcore::cli {
namespace {

bool contains(const std::vector<core::Arch>& archs, core::Arch arch) {
  return std::find(archs.begin(), archs.end(), arch) != archs.end();
}

std::string names(const std::vector<core::Arch>& archs) {
  std::vector<std::string> texts;
  for (const core::Arch arch : archs) texts.push_back(arch.to_string());
  return fmt::format("{}", fmt::join(texts, ", "));
}

void plan_for_arch(const CompileChoice& choice, core::Arch arch, CompilePlan& plan) {
  const family::Family& family = *choice.family;
  const auto skip = [&](std::string reason) {
    plan.skipped.push_back({std::string{family.name()}, arch, std::move(reason)});
  };
  const std::vector<core::Arch> claimed = family.archs();
  if (!contains(claimed, arch)) {
    // An "a" architecture runs what is compiled for the plain one.
    const core::Arch plain{arch.major, arch.minor, false};
    skip(arch.specific && contains(claimed, plain)
             ? fmt::format("its code for {} runs there", plain.to_string())
             : fmt::format("it claims {}", names(claimed)));
    if (!arch.specific || !contains(claimed, plain)) return;
    arch = plain;
    const bool planned = std::any_of(
        plan.jobs.begin(), plan.jobs.end(),
        [&](const CompileJob& job) { return job.family == &family && job.arch == arch; });
    if (planned) return;
  }
  const core::GpuLimits gpu = core::limits_of(arch);
  std::vector<family::ConfigFields> configs;
  if (!choice.config)
    configs = family.shipped_configs(gpu);
  else if (const core::Support valid = family.valid(*choice.config, gpu); valid)
    configs = {*choice.config};
  else
    skip(valid.reason());
  for (const auto& config : configs)
    for (const jit::KernelSpec& spec : family.kernels(config))
      plan.jobs.push_back({&family, config, arch, spec});
}

CompileOutcome run_job(const CompileJob& job) {
  CompileOutcome outcome;
  const auto start = std::chrono::steady_clock::now();
  try {
    outcome.binary = jit::compile(job.spec, job.arch);
    outcome.compiled = true;
    outcome.problem = over_budget(outcome.binary.report, job.family->budget(job.config));
  } catch (const std::exception& error) {
    outcome.problem = error.what();
  }
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
  outcome.milliseconds = spent.count();
  return outcome;
}

}  // namespace

CompilePlan plan_jobs(const std::vector<CompileChoice>& choices,
                      const std::vector<core::Arch>& archs) {
  CompilePlan plan;
  for (const CompileChoice& choice : choices)
    for (const core::Arch arch : archs) plan_for_arch(choice, arch, plan);
  return plan;
}

std::vector<CompileOutcome> run_jobs(const std::vector<CompileJob>& jobs,
                                     const std::function<void(const CompileJob&)>& done) {
  std::vector<CompileOutcome> outcomes(jobs.size());
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  const auto work = [&] {
    for (std::size_t i = next++; i < jobs.size(); i = next++) {
      outcomes[i] = run_job(jobs[i]);
      const std::scoped_lock lock(mutex);
      done(jobs[i]);
    }
  };
  const std::size_t processors = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < std::min(processors, jobs.size()); ++i) threads.emplace_back(work);
  work();
  threads.clear();
  return outcomes;
}

std::string over_budget(const jit::ResourceReport& report, const family::ResourceBudget& budget) {
  if (report.registers > budget.registers)
    return fmt::format("registers {} exceed the budget of {}", report.registers, budget.registers);
  if (report.spill_bytes > 0) return fmt::format("{} bytes are spilled", report.spill_bytes);
  if (report.stack_bytes > 0) return fmt::format("{} bytes of stack are used", report.stack_bytes);
  return {};
}

}  // namespace flashcore::cli
