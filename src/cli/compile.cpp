// flashcore compile: every kernel for every architecture, without a GPU.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/compile_jobs.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "core/error.h"
#include "dispatch/variants.h"
#include "io/file.h"
#include "jit/compiler.h"
#include "jit/pack.h"

namespace flashcore::cli {
namespace {

using core::fail;
using core::Status;
using nlohmann::json;

struct CompileFlags {
  std::vector<std::string> archs, variants;
  std::string family, config;
  std::string pack_file, json_file;
  bool shipped_only = false;
};

std::vector<core::Arch> default_archs() {
  const std::vector<int> supported = jit::compiler_archs();
  std::vector<core::Arch> archs;
  for (const core::Arch arch : core::known_archs)
    if (std::find(supported.begin(), supported.end(), arch.number()) != supported.end())
      archs.push_back(arch);
  return archs;
}

std::vector<core::Arch> parse_archs(const std::vector<std::string>& names) {
  std::vector<core::Arch> archs;
  for (const std::string& name : names) {
    const core::Arch arch = core::known_arch(name);
    if (std::find(archs.begin(), archs.end(), arch) == archs.end()) archs.push_back(arch);
  }
  return archs;
}

const family::Family* family_of(std::string_view name) {
  const family::Family* found = family::find_family(name);
  if (found == nullptr) {
    std::vector<std::string_view> known;
    for (const family::Family* family : family::all_families()) known.push_back(family->name());
    fail(Status::invalid_argument, "family: '{}' is none of {}", name, fmt::join(known, ", "));
  }
  return found;
}

/// The variant's Configs for such heads, in fp16 and bf16.
CompileChoice variant_choice(const dispatch::Variant& variant,
                             std::initializer_list<std::int64_t> head_dims) {
  CompileChoice choice{family_of(variant.family), dispatch::pinned_of(variant).config};
  for (const std::int64_t head_dim : head_dims)
    for (const core::Dtype dtype : {core::Dtype::float16, core::Dtype::bfloat16})
      choice.problems.push_back(core::contiguous_problem(dtype, 1, 8, 8, 512, 512, head_dim));
  return choice;
}

CompileChoice choice_of_variant(const std::string& name) {
  const dispatch::Variant* variant = dispatch::find_variant(name);
  if (variant == nullptr) {
    std::vector<std::string_view> known;
    for (const auto& other : dispatch::all_variants()) known.push_back(other.name);
    fail(Status::invalid_argument, "variant: '{}' is none of {}", name, fmt::join(known, ", "));
  }
  if (variant->backend != dispatch::Backend::cuda)
    fail(Status::invalid_argument, "variant: {} runs on the CPU and has no kernels to compile",
         name);
  return variant_choice(*variant, {64, 128, 256});
}

/// What the family ships and, unless that is all that is asked for, what its variants run the
/// mission shape with.
void add_family(const family::Family& family, bool shipped_only,
                std::vector<CompileChoice>& choices) {
  choices.push_back({&family, {}});
  if (shipped_only) return;
  for (const dispatch::Variant& variant : dispatch::all_variants())
    if (variant.family == family.name()) choices.push_back(variant_choice(variant, {64}));
}

std::vector<CompileChoice> parse_choices(const CompileFlags& options) {
  std::vector<CompileChoice> choices;
  for (const std::string& name : options.variants) choices.push_back(choice_of_variant(name));
  if (!options.config.empty())
    choices.push_back({family_of(options.family), family::ConfigFields::parse(options.config)});
  else if (!options.family.empty())
    add_family(*family_of(options.family), options.shipped_only, choices);
  else if (choices.empty())
    for (const family::Family* family : family::all_families())
      add_family(*family, options.shipped_only, choices);
  return choices;
}

std::string skipped_text(const Skipped& skipped) {
  return fmt::format("{} is not compiled for {}: {}", skipped.family, skipped.arch.to_string(),
                     skipped.reason);
}

/// A block's static and dynamic shared memory together.
int shared_bytes(const CompileJob& job, const jit::ResourceReport& report) {
  return report.shared_bytes + job.family->budget(job.config).dynamic_shared_bytes;
}

json to_json(const CompilePlan& plan, const std::vector<CompileOutcome>& outcomes) {
  json kernels = json::array();
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const CompileJob& job = plan.jobs[i];
    const CompileOutcome& outcome = outcomes[i];
    json kernel{{"family", job.family->name()},
                {"config", job.config.to_string()},
                {"arch", job.arch.to_string()},
                {"name_expression", job.spec.name_expression},
                {"register_budget", job.family->budget(job.config).registers},
                {"compile_ms", outcome.milliseconds},
                {"status", outcome.problem.empty() ? "pass" : "fail"},
                {"detail", outcome.problem}};
    if (outcome.compiled) {
      const jit::ResourceReport& report = outcome.binary.report;
      kernel["registers"] = report.registers;
      kernel["spill_bytes"] = report.spill_bytes;
      kernel["stack_bytes"] = report.stack_bytes;
      kernel["smem_bytes"] = shared_bytes(job, report);
      kernel["barriers"] = report.barriers;
      kernel["serialized_products"] = report.serialized_products;
    }
    kernels.push_back(std::move(kernel));
  }
  json skips = json::array();
  for (const Skipped& skipped : plan.skipped)
    skips.push_back({{"family", skipped.family},
                     {"arch", skipped.arch.to_string()},
                     {"reason", skipped.reason}});
  const auto [major, minor] = jit::compiler_version();
  return {
      {"nvrtc", {{"version", fmt::format("{}.{}", major, minor)}, {"path", jit::compiler_path()}}},
      {"kernels", std::move(kernels)},
      {"skipped", std::move(skips)}};
}

void print_table(const CompilePlan& plan, const std::vector<CompileOutcome>& outcomes) {
  Table table({{"family"},
               {"config"},
               {"arch"},
               {"registers", Align::right},
               {"spills", Align::right},
               {"stack", Align::right},
               {"shared", Align::right},
               {"compile ms", Align::right}});
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const CompileJob& job = plan.jobs[i];
    std::vector<std::string> cells{std::string{job.family->name()}, job.config.to_string(),
                                   job.arch.to_string()};
    const jit::ResourceReport& report = outcomes[i].binary.report;
    if (outcomes[i].compiled)
      cells.insert(
          cells.end(),
          {fmt::format("{}/{}", report.registers, job.family->budget(job.config).registers),
           std::to_string(report.spill_bytes), std::to_string(report.stack_bytes),
           std::to_string(shared_bytes(job, report))});
    else
      cells.insert(cells.end(), {"failed", "-", "-", "-"});
    cells.push_back(fmt::format("{:.0f}", outcomes[i].milliseconds));
    table.add_row(std::move(cells));
  }
  fmt::print("{}", table.to_string());
}

void write_file(const std::string& path, const void* data, std::size_t bytes) {
  io::OutputFile file(path);
  file.write(data, bytes);
  file.commit();
}

/// Every kernel that compiled, within its budget or not: the library would compile it just so.
void write_pack_file(const std::string& path, const CompilePlan& plan,
                     const std::vector<CompileOutcome>& outcomes) {
  std::vector<jit::PackEntry> entries;
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    if (outcomes[i].compiled)
      entries.push_back({.source_hash = jit::source_hash(plan.jobs[i].spec, plan.jobs[i].arch),
                         .spec = plan.jobs[i].spec,
                         .arch = plan.jobs[i].arch,
                         .nvrtc_version = jit::compiler_version(),
                         .binary = outcomes[i].binary});
  if (entries.empty()) fail(Status::compile_failed, "{}: not written: nothing compiled", path);
  const std::vector<std::uint8_t> bytes = jit::write_pack(entries);
  write_file(path, bytes.data(), bytes.size());
  fmt::print(stderr, "{}: {} kernels, {} KiB\n", path, entries.size(), bytes.size() / 1024);
}

/// Says what went wrong; returns how many kernels are not good enough.
std::size_t print_problems(const CompilePlan& plan, const std::vector<CompileOutcome>& outcomes) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].problem.empty()) continue;
    ++count;
    fmt::print(stderr, "flashcore: {} {} for {}: {}\n", plan.jobs[i].family->name(),
               plan.jobs[i].config.to_string(), plan.jobs[i].arch.to_string(), outcomes[i].problem);
  }
  return count;
}

void check_compiler(const std::vector<core::Arch>& archs) {
  if (!jit::compiler_available()) fail(Status::no_device, "{}", jit::compiler_unavailable_reason());
  const std::vector<int> supported = jit::compiler_archs();
  for (const core::Arch arch : archs)
    if (std::find(supported.begin(), supported.end(), arch.number()) == supported.end())
      fail(Status::no_device, "arch: {} is asked for, and NVRTC at {} compiles for sm_{}",
           arch.to_string(), jit::compiler_path(), fmt::join(supported, ", sm_"));
}

int run_compile(const CompileFlags& options) {
  std::vector<core::Arch> archs = parse_archs(options.archs);
  const std::vector<CompileChoice> choices = parse_choices(options);
  check_compiler(archs);
  if (archs.empty()) archs = default_archs();

  const CompilePlan plan = plan_jobs(choices, archs);
  if (plan.jobs.empty())
    fail(Status::invalid_argument, "nothing to compile: {}",
         plan.skipped.empty() ? "no family" : skipped_text(plan.skipped.front()));
  std::vector<CompileOutcome> outcomes;
  {
    Progress progress(plan.jobs.size(), "compiling");
    outcomes = run_jobs(plan.jobs, [&](const CompileJob& job) {
      progress.note(fmt::format("{} {}", job.family->name(), job.arch.to_string()));
      progress.advance();
    });
  }

  if (options.json_file != "-") {
    print_table(plan, outcomes);
    for (const Skipped& skipped : plan.skipped) fmt::print("{}\n", skipped_text(skipped));
  }
  if (!options.json_file.empty()) {
    const std::string text = to_json(plan, outcomes).dump(2) + '\n';
    if (options.json_file == "-")
      fmt::print("{}", text);
    else
      write_file(options.json_file, text.data(), text.size());
  }
  const std::size_t problems = print_problems(plan, outcomes);
  if (!options.pack_file.empty()) write_pack_file(options.pack_file, plan, outcomes);
  if (problems > 0) {
    fmt::print(stderr, "flashcore: {} of {} kernels failed\n", problems, outcomes.size());
    return exit_failed;
  }
  fmt::print(stderr,
             "{} kernels: within their budgets, no spills, no stack, no serialized products\n",
             outcomes.size());
  return exit_ok;
}

}  // namespace

void add_compile(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<CompileFlags>();
  CLI::App* command = app.add_subcommand(
      "compile",
      "Compile every kernel for each architecture and check what it costs; no GPU needed");
  command->footer(
      "Fails (1) where a kernel exceeds its family's register budget, spills, uses stack, or has\n"
      "its products (WGMMA) serialized by ptxas.\n"
      "Examples:\n"
      "  flashcore compile --arch sm_80,sm_90a\n"
      "  flashcore compile --pack default.pack        for machines with no compiler:\n"
      "                                               FLASHCORE_PACK=default.pack\n"
      "  flashcore compile --family forward_scalar --arch sm_90 --config "
      "element=0,head_dim=64,...");
  command
      ->add_option("--arch", options->archs,
                   "Architectures: any of " + core::known_arch_names() +
                       "; default: all of them that "
                       "the compiler supports")
      ->delimiter(',');
  auto* variants = command
                       ->add_option("--variant", options->variants,
                                    "Only these variants' kernels (flashcore info lists them)")
                       ->delimiter(',');
  auto* family = command->add_option("--family", options->family, "Only this family's kernels");
  family->excludes(variants);
  command
      ->add_option("--config", options->config,
                   "One Config of that family instead of those it ships: field=value,…")
      ->needs(family);
  command->add_flag("--shipped", options->shipped_only,
                    "Only the Configs that an installed library ships, without those of variants");
  command->add_option("--pack", options->pack_file, "Write the kernels to this file");
  command->add_option("--json", options->json_file, "Write the report to this file, - for stdout");
  command->callback([options, &exit_code] { exit_code = run_compile(*options); });
}

}  // namespace flashcore::cli
