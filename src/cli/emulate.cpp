// flashcore emulate: one call of a GPU kernel on the CPU, checked and counted.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "bench/provenance.h"
#include "bench/shape.h"
#include "cli/commands.h"
#include "cli/emulate_report.h"
#include "cli/problem_flags.h"
#include "cli/progress.h"
#include "cli/result_file.h"
#include "core/error.h"
#include "emulate/module_store.h"
#include "family/config.h"
#include "gate/sampling.h"
#include "gate/target.h"
#include "io/file.h"

namespace flashcore::cli {

using core::fail;
using core::Problem;
using core::Status;
using dispatch::Variant;

namespace {

struct EmulateFlags {
  ProblemFlags call;
  std::string config;
  std::uint64_t seed = 1;
  bool no_checks = false;
  std::string json;
  std::string modules;
};

constexpr double emulate_oracle_budget = 0x1p26;  // multiply-adds; beyond it, rows are sampled

constexpr const char* emulate_footer = R"(
Executes a variant's kernel on the CPU, thread by thread, checks every access and every barrier, and
prints what it counted: instructions, bytes, bank conflicts and coalescing by source line
(docs/emulator.md says how to read them). It needs no GPU; a C++ compiler unless the kernel is one of
those that were compiled when FlashCore was built.

Examples:
  flashcore emulate --variant phase_2e
  flashcore emulate --variant phase_2e --shape b=1,h=2,s=200,d=64 --mask causal_bottom_right --seed 7
  flashcore emulate --variant v8_dynamic --config block_kv=16 --json counts.json
  flashcore emulate --variant phase_2e,phase_2d --modules DIR   # compile only, for another machine

Exit status: 0 nothing was found, 1 something was, or the result is wrong, 2 bad usage, 3 there is
neither the kernel nor a C++ compiler.)";

std::vector<Problem> problems_of(const EmulateFlags& flags) {
  std::vector<Problem> problems = shape_problems(flags.call);
  if (problems.empty())
    problems.push_back(
        bench::to_problem(bench::emulated_shape, dtype_of(flags.call), mask_of(flags.call)));
  return problems;
}

/// The variant with the fields of --config in the place of its own.
dispatch::Pinned pinned_by(const EmulateFlags& flags, const Variant& variant) {
  dispatch::Pinned pinned = dispatch::pinned_of(variant);
  if (!flags.config.empty())
    pinned.config = family::merged(pinned.config.value_or(family::ConfigFields{}),
                                   family::ConfigFields::parse(flags.config));
  return pinned;
}

/// Writes the modules that the variants need for the Problems, and runs none.
int write_modules(const EmulateFlags& flags, std::span<const Variant* const> variants) {
  std::vector<emulate::ModuleSpec> modules;
  for (const Variant* variant : variants)
    for (const Problem& problem : problems_of(flags))
      for (const jit::KernelSpec& kernel : dispatch::kernels_of(
               problem, device_of(flags.call, *variant), pinned_by(flags, *variant)))
        modules.push_back({.kernel = kernel});
  {
    const Progress progress(0, fmt::format("compiling {} modules", modules.size()));
    emulate::write_modules(modules, flags.modules);
  }
  fmt::print(stderr, "{}: {} modules\n", flags.modules, emulate::modules_in(flags.modules));
  return exit_ok;
}

Emulation emulate_call(const EmulateFlags& flags, const Variant& variant, const Problem& problem) {
  Emulation result{.variant = std::string{variant.name},
                   .problem = problem,
                   .seed = flags.seed,
                   .device = device_of(flags.call, variant)};
  Progress progress(0, fmt::format("emulate {}", variant.name));
  progress.note("compiling");
  const gate::Target target(problem, result.device, pinned_by(flags, variant));
  result.choice = target.choice();
  core::HostCall call = core::HostCall::random(problem, flags.seed);
  emulate::Options options;
  options.seed = flags.seed;
  options.checks = !flags.no_checks;
  std::mutex mutex;
  options.progress = [&](unsigned done, unsigned blocks) {
    const std::scoped_lock lock(mutex);
    progress.note(fmt::format("{}: block {} of {}", problem.to_string(), done, blocks));
  };
  target.run_emulated(call, options, result.report);
  emulate::name_lines(result.report.counts);
  progress.note("comparing with the float64 oracle");
  if (result.report.findings.empty())
    result.accuracy = gate::check_sampled(call, true, flags.seed, emulate_oracle_budget);
  return result;
}

int run_emulate(EmulateFlags flags) {
  flags.call.device = "emulator";
  const auto variants = chosen_variants(flags.call);
  if (!flags.modules.empty()) return write_modules(flags, variants);
  const std::vector<Problem> problems = problems_of(flags);
  if (variants.size() != 1)
    fail(Status::invalid_argument, "variant: {} were given, one at a time is emulated",
         flags.call.variants.size());
  if (problems.size() != 1)
    fail(Status::invalid_argument, "shape: {} were given, one at a time is emulated",
         problems.size());
  if (!flags.json.empty() && flags.json != "-")
    io::OutputFile{flags.json};  // a path that cannot be written is found out now
  const Emulation result = emulate_call(flags, *variants.front(), problems.front());
  if (flags.json == "-") {
    fmt::print("{}\n", to_json(result).dump(2));
  } else {
    fmt::print("{}", to_text(result));
    if (!flags.json.empty()) write_json(flags.json, to_json(result));
  }
  if (result.good()) return exit_ok;
  fmt::print(stderr, "flashcore: {}\n", result.why_not());
  return exit_failed;
}

}  // namespace

void add_emulate(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("emulate", "Execute a GPU kernel on the CPU, check it, and count");
  const auto flags = std::make_shared<EmulateFlags>();
  command->footer(emulate_footer);
  add_call_flags(*command, flags->call);
  add_arch_flag(*command, flags->call);
  command->add_option(
      "--config", flags->config,
      "Fields of the Config that differ from the variant's, as block_kv=64,stages=3");
  command->add_option("--seed", flags->seed, "Of the inputs, and of the order in which threads run")
      ->capture_default_str();
  command->add_flag(
      "--no-checks", flags->no_checks,
      "Several times as fast: no counts by source line, and no findings but deadlocks");
  command->add_option("--json", flags->json,
                      "Write the counts to this file, or - for stdout instead of the tables");
  command->add_option("--modules", flags->modules,
                      "Run nothing: compile what the variants need into this folder");
  command->callback([flags, &exit_code] { exit_code = run_emulate(*flags); });
}

}  // namespace flashcore::cli
