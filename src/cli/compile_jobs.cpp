#include "cli/compile_jobs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "core/error.h"
#include "gate/gate.h"
#include "gate/ptxas.h"
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

bool planned(const CompilePlan& plan, const family::Family& family,
             const family::ConfigFields& config, core::Arch arch) {
  return std::any_of(plan.jobs.begin(), plan.jobs.end(), [&](const CompileJob& job) {
    return job.family == &family && job.arch == arch && job.config == config;
  });
}

/// The Configs to compile for a GPU; those that are not valid on it are skipped with the reason.
std::vector<family::ConfigFields> chosen_configs(const CompileChoice& choice,
                                                 const core::GpuLimits& gpu,
                                                 const std::function<void(std::string)>& skip) {
  if (choice.problems.empty() && !choice.config) return choice.family->shipped_configs(gpu);
  std::vector<family::ConfigFields> wanted, valid;
  const auto fields = choice.config.value_or(family::ConfigFields{});
  for (const core::Problem& problem : choice.problems)
    wanted.push_back(family::overlaid(choice.family->default_config(problem, gpu), fields));
  if (choice.problems.empty()) wanted.push_back(fields);
  for (const auto& config : wanted)
    if (const core::Support support = choice.family->valid(config, gpu); support)
      valid.push_back(config);
    else
      skip(choice.config && choice.problems.empty()
               ? support.reason()
               : fmt::format("{}: {}", config.to_string(), support.reason()));
  return valid;
}

void plan_for_arch(const CompileChoice& choice, core::Arch arch, CompilePlan& plan) {
  const family::Family& family = *choice.family;
  const auto skip = [&](std::string reason) {
    // A family may be chosen more than once: by itself, and for its variants.
    Skipped skipped{std::string{family.name()}, arch, std::move(reason)};
    if (std::find(plan.skipped.begin(), plan.skipped.end(), skipped) == plan.skipped.end())
      plan.skipped.push_back(std::move(skipped));
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
  for (const auto& config : chosen_configs(choice, core::limits_of(arch), skip))
    if (choice.problems.empty() || !planned(plan, family, config, arch))
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
  const gate::PtxasRecord record{.report = report, .register_budget = budget.registers};
  const gate::GateResult result =
      gate::judge(gate::ptxas_checks({{"the kernel's", record}}),
                  fmt::format("{} registers of {}", report.registers, budget.registers));
  return result.verdict == gate::Verdict::pass ? "" : result.detail;
}

}  // namespace flashcore::cli
