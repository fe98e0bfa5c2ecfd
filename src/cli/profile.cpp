// flashcore profile: a variant under Nsight Compute, and what is known without it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "bench/provenance.h"
#include "bench/shape.h"
#include "cli/commands.h"
#include "cli/problem_flags.h"
#include "cli/result_file.h"
#include "cli/table.h"
#include "core/error.h"
#include "cuda/driver.h"
#include "gate/rules.h"
#include "io/file.h"
#include "profile/profile.h"
#include "profile/resources.h"

namespace flashcore::cli {

using core::fail;
using core::Status;
using nlohmann::json;
using profile::ProfileRecord;

namespace {

struct ProfileFlags {
  std::string variant;
  std::string shape, dtype = "fp16", mask = "none", window;
  std::string json;
  double limit_s = 300;
};

constexpr const char* profile_footer = R"(
Runs the variant under Nsight Compute (ncu in PATH or where CUDA installs it), with the clocks left
alone, and says of its longest kernel how busy the tensor pipe was, how full its warps, what the
memories carried and what the warps waited for. Gates at B=4 H=16 S=4096 D=128 fp16, which is the
shape where none is given: the tensor pipe as active as the variant declares, warp execution
efficiency of at least 95%, no local memory.

Where there are no counters (no ncu, no GPU, not permitted) it says so and gives what needs none: the
compiler's report, the occupancy that follows from it, and the instructions of the machine code where
cuobjdump or nvdisasm is installed.

Examples:
  flashcore profile v12_baseline
  flashcore profile phase_2e --shape b=1,h=8,s=512,d=64 --json results/ncu_phase_2e.json

Exit status: 0 no gate failed, 1 one did, 2 bad usage, 3 not measured.)";

const dispatch::Variant& gpu_variant(const std::string& name) {
  ProblemFlags named;
  named.variants = {name};
  const dispatch::Variant& variant = *chosen_variants(named).front();
  if (variant.backend == dispatch::Backend::cpu)
    fail(Status::invalid_argument, "variant: {} runs on the CPU, where there is nothing to profile",
         name);
  return variant;
}

core::Problem problem_of(const ProfileFlags& flags) {
  ProblemFlags problem;
  problem.shapes = {flags.shape};
  problem.dtype = flags.dtype;
  problem.mask = flags.mask;
  problem.window = flags.window;
  if (!flags.shape.empty()) return shape_problems(problem).front();
  const core::Problem standard = profile::profile_problem();
  return core::contiguous_problem(dtype_of(problem), standard.batch, standard.heads_q, -1,
                                  standard.seq_q, -1, standard.head_dim, mask_of(problem));
}

std::string number_text(double value, std::string_view unit) {
  if (unit == "%") return fmt::format("{:.1f} %", value);
  const std::string digits =
      unit == "us" ? fmt::format("{:.2f}", value) : fmt::format("{:.4g}", value);
  return unit.empty() ? digits : fmt::format("{} {}", digits, unit);
}

std::string kernel_text(const ProfileRecord& record) {
  const profile::KernelProfile& kernel = *record.kernel;
  Table table({{"figure"}, {"value", Align::right}, {"what it means"}});
  for (const profile::Figure& figure : profile::figures()) {
    const auto value = kernel.figures.at(std::string{figure.key});
    table.add_row({std::string{figure.label}, value ? number_text(*value, figure.unit) : "n/a",
                   value ? profile::meaning_of(figure.key, *value) : ""});
  }
  table.add_rule();
  for (const auto& [reason, per_issue] : kernel.stalls)
    table.add_row({"stalled: " + reason, fmt::format("{:.2f} warps", per_issue),
                   fmt::format("for each instruction issued, so many waited for {}",
                               profile::stall_meaning(reason))});
  std::string text = fmt::format("{}, grid {}, block {}\n{}", kernel.name, kernel.grid,
                                 kernel.block, table.to_string());
  for (const profile::OtherKernel& other : record.others)
    text += fmt::format("also launched: {}, {:.2f} us\n", other.name, other.duration_us);
  if (!record.not_available.empty())
    text += fmt::format("not known to this ncu: {}\n", fmt::join(record.not_available, ", "));
  return text;
}

std::string resources_text(const std::vector<profile::KernelResources>& resources) {
  constexpr auto right = Align::right;
  Table table({{"kernel"},
               {"arch"},
               {"registers", right},
               {"spills", right},
               {"stack", right},
               {"shared", right},
               {"threads", right},
               {"blocks", right},
               {"per SM", right},
               {"occupancy", right},
               {"limited by"}});
  for (const profile::KernelResources& each : resources)
    table.add_row({each.name, each.arch.to_string(), std::to_string(each.report.registers),
                   std::to_string(each.report.spill_bytes), std::to_string(each.report.stack_bytes),
                   std::to_string(each.shared_bytes), std::to_string(each.threads),
                   std::to_string(each.grid), std::to_string(each.occupancy.blocks),
                   fmt::format("{:.0f} %", each.occupancy.percent), each.occupancy.limited_by});
  return table.to_string();
}

json resources_json(const std::vector<profile::KernelResources>& resources) {
  json result = json::array();
  for (const profile::KernelResources& each : resources)
    result.push_back({{"kernel", each.name},
                      {"arch", each.arch.to_string()},
                      {"registers", each.report.registers},
                      {"spill_bytes", each.report.spill_bytes},
                      {"stack_bytes", each.report.stack_bytes},
                      {"smem_bytes", each.shared_bytes},
                      {"threads", each.threads},
                      {"blocks", each.grid},
                      {"blocks_per_multiprocessor", each.occupancy.blocks},
                      {"theoretical_occupancy_percent", each.occupancy.percent},
                      {"limited_by", each.occupancy.limited_by}});
  return result;
}

std::string mix_text(const std::vector<profile::DisassembledKernel>& kernels) {
  std::string text;
  for (const profile::DisassembledKernel& kernel : kernels) {
    int total = 0;
    for (const auto& [kind, count] : kernel.mix) total += count;
    text += fmt::format("{} on {}: {} instructions:", kernel.name, kernel.arch.to_string(), total);
    for (const auto& [kind, count] : kernel.mix) text += fmt::format(" {} {};", count, kind);
    text.back() = '\n';
  }
  return text;
}

/// What needs no counters, printed and added to the result. Says what it could not find out.
void add_static_facts(const dispatch::Variant& variant, const core::Problem& problem, json& entry,
                      std::FILE* for_people) {
  entry["resources"] = json::array();
  entry["instruction_mix"] = json::array();
  try {
    const auto resources = profile::resources_of(variant, problem);
    entry["resources"] = resources_json(resources);
    fmt::print(for_people, "{}", resources_text(resources));
    const core::Arch arch =
        cuda::device_count() > 0 ? cuda::device_info(0).limits.arch : resources.back().arch;
    const auto kernels = profile::disassemble(variant, problem, arch);
    for (const auto& kernel : kernels)
      entry["instruction_mix"].push_back(
          {{"kernel", kernel.name}, {"arch", arch.to_string()}, {"instructions", kernel.mix}});
    fmt::print(for_people, "{}", mix_text(kernels));
  } catch (const core::Error& error) {
    fmt::print(for_people, "not found out: {}\n", error.what());
  }
}

int exit_code_of(const ProfileRecord& record) {
  bool missing = !record.kernel;
  for (const auto& [name, result] : record.gates) {
    if (result.verdict == gate::Verdict::fail) return exit_failed;
    // A metric that is not available leaves its gate open; one that nobody set does not.
    missing = missing || (record.kernel && result.verdict == gate::Verdict::skipped &&
                          result.detail.find("not available") != std::string::npos);
  }
  return missing ? exit_missing : exit_ok;
}

int run_profile_command(const ProfileFlags& flags) {
  const dispatch::Variant& variant = gpu_variant(flags.variant);
  const core::Problem problem = problem_of(flags);
  const bool to_stdout = flags.json == "-";
  const bool to_file = !flags.json.empty() && !to_stdout;
  if (to_file) io::OutputFile{flags.json};  // a path that cannot be written is found out now
  std::FILE* for_people = to_stdout ? stderr : stdout;

  const ProfileRecord record =
      profile::run_profile(variant, problem, profile::target_command(variant, problem),
                           std::chrono::duration<double>(flags.limit_s));
  fmt::print(for_people, "{}, {}\n", variant.name, problem.to_string());
  if (record.kernel)
    fmt::print(for_people, "{}", kernel_text(record));
  else
    fmt::print(for_people, "not measured: {}\n", record.not_measured);
  json entry = profile::profile_to_json(record);
  add_static_facts(variant, problem, entry, for_people);
  for (const auto& [name, result] : record.gates)
    fmt::print(for_people, "{}: {}{}{}\n", name, gate::name(result.verdict),
               result.detail.empty() ? "" : ": ", result.detail);

  const json document{{"schema", gate::schema_version},
                      {"provenance", bench::run_provenance(command_line())},
                      {"profiles", json::array({entry})}};
  if (to_file) write_json(flags.json, document);
  if (to_stdout) fmt::print("{}\n", document.dump(2));
  return exit_code_of(record);
}

void add_shape_flags(CLI::App& command, ProfileFlags& flags) {
  command.add_option("VARIANT", flags.variant, "A GPU variant's name (see `flashcore info`)")
      ->required();
  command.add_option("--shape", flags.shape,
                     "b=1,h=8,s=512,d=64[,hkv=HEADS][,skv=KEYS]; b=4,h=16,s=4096,d=128 where none "
                     "is given");
  command.add_option("--dtype", flags.dtype, "fp16 or bf16")->capture_default_str();
  command.add_option("--mask", flags.mask, "none, causal_top_left or causal_bottom_right")
      ->capture_default_str();
  command.add_option("--window", flags.window,
                     "LEFT,RIGHT: keys seen on either side of the diagonal, inclusive; -1 for all");
}

}  // namespace

void add_profile(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("profile", "A variant under Nsight Compute, with gates");
  const auto flags = std::make_shared<ProfileFlags>();
  command->footer(profile_footer);
  add_shape_flags(*command, *flags);
  command->add_option("--json", flags->json, "Write the result to this file, or - for stdout");
  command->add_option("--time-limit", flags->limit_s, "Seconds after which ncu is stopped")
      ->check(CLI::Range(0.1, 1e6))
      ->capture_default_str();
  command->callback([flags, &exit_code] { exit_code = run_profile_command(*flags); });

  CLI::App* target = app.add_subcommand("profile-target", "The process that ncu watches");
  target->group("");  // not for people
  const auto watched = std::make_shared<ProfileFlags>();
  add_shape_flags(*target, *watched);
  target->callback(
      [watched] { profile::run_target(gpu_variant(watched->variant), problem_of(*watched)); });
}

}  // namespace flashcore::cli
