// What `flashcore compile` compiles, and what came of it.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/gpu_limits.h"
#include "family/family.h"
#include "jit/binary.h"

namespace flashcore::cli {

/// One kernel of one Config for one architecture.
struct CompileJob {
  const family::Family* family = nullptr;
  family::ConfigFields config;
  core::Arch arch;
  jit::KernelSpec spec;
};

/// A family or Config that an architecture was asked for and that is not compiled for it.
struct Skipped {
  std::string family;
  core::Arch arch;
  std::string reason;

  bool operator==(const Skipped&) const = default;
};

struct CompilePlan {
  std::vector<CompileJob> jobs;
  std::vector<Skipped> skipped;
};

/// What the user chose of a family: the one Config given, or all that it ships; or, where Problems
/// are named, its default Configs for those with the fields given in their place.
struct CompileChoice {
  const family::Family* family = nullptr;
  std::optional<family::ConfigFields> config;
  std::vector<core::Problem> problems = {};
};

CompilePlan plan_jobs(const std::vector<CompileChoice>& choices,
                      const std::vector<core::Arch>& archs);

struct CompileOutcome {
  jit::Binary binary;
  double milliseconds = 0.0;
  std::string problem;  // why it is not good enough: the compiler's words, or the budget
  bool compiled = false;
};

/// Compiles in as many threads as there are processors; `done` is called after each job, by one
/// thread at a time. The outcomes are in the order of the jobs.
std::vector<CompileOutcome> run_jobs(const std::vector<CompileJob>& jobs,
                                     const std::function<void(const CompileJob&)>& done);

/// Empty, or what the ptxas gate's checks have against it:
/// "registers_over_budget 2 is over the limit 0; 130 registers of 128".
std::string over_budget(const jit::ResourceReport& report, const family::ResourceBudget& budget);

}  // namespace flashcore::cli
