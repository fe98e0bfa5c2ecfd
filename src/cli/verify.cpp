#include <fmt/format.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/shape.h"
#include "cli/commands.h"
#include "cli/problem_flags.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "core/error.h"
#include "gate/random_problem.h"
#include "gate/record.h"
#include "gate/rules.h"
#include "gate/sampling.h"
#include "gate/target.h"
#include "io/problem_json.h"

namespace flashcore::cli {

using core::Dtype;
using core::Problem;
using core::Status;
using dispatch::Variant;

namespace {

struct VerifyFlags {
  ProblemFlags problem;
  bool dtype_given = false;
  int random = -1;
  std::uint64_t seed = 1;
  bool json = false;
};

constexpr int default_random = 10;
constexpr double oracle_budget = 0x1p28;  // multiply-adds per call; beyond it, rows are sampled

constexpr const char* verify_footer = R"(
Runs the call on N(0,1) inputs and holds every element of the output and of the log-sum-exp to the
float64 oracle; guard zones around the buffers and the inputs must be untouched. Without --shape and
--random: the mission shape and ten random Problems.

With --device emulator the GPU kernels are executed on the CPU, thread by thread, and every access and
barrier of theirs is checked; --seed also chooses the order of the threads. Without --shape and
--random: S=128 D=64 and ten small random Problems.

Examples:
  flashcore verify
  flashcore verify --shape b=2,h=8,s=300,d=64,hkv=2 --mask causal_bottom_right --dtype bf16
  flashcore verify --random 500 --seed 7
  flashcore verify --device emulator --variant phase_2e

Exit status: 0 all correct, 1 one is not, 2 bad usage, 3 nothing could be run.)";

/// What one line of the report says.
struct Checked {
  const Variant* variant;
  Problem problem;
  std::uint64_t seed;
  gate::Accuracy accuracy;
  std::string skipped;  // why it was not run
  std::string repeat;   // the command that does this one again
};

struct Work {
  Problem problem;
  std::uint64_t seed;
  std::string flags;  // that repeat it
};

std::string device_flags(const VerifyFlags& flags) {
  return flags.problem.emulated() ? fmt::format(" --device emulator --arch {}", flags.problem.arch)
                                  : "";
}

/// What a user waits for: on the emulator seconds of arithmetic for each, and a compiler for each
/// head_dim.
gate::RandomLimits random_limits(const VerifyFlags& flags) {
  if (!flags.problem.emulated()) return {};
  return {.max_batch = 2,
          .max_heads_kv = 2,
          .max_group = 2,
          .max_seq = 130,
          .max_head_dim = 64,
          .head_dim_multiple = 8};
}

std::vector<Work> work_of(const VerifyFlags& flags, const Variant& variant) {
  std::vector<Work> work;
  const auto add = [&](const Problem& problem) {
    work.push_back(
        {problem, flags.seed, fmt::format("{} --seed {}", bench::flags_of(problem), flags.seed)});
  };
  const bool nothing_given = flags.problem.shapes.empty() && flags.random < 0;
  if (nothing_given)
    add(flags.problem.emulated() ? bench::to_problem(bench::emulated_shape, dtype_of(flags.problem),
                                                     mask_of(flags.problem))
                                 : gate::mission_problem());
  for (const Problem& problem : shape_problems(flags.problem)) add(problem);

  static constexpr std::array gpu_dtypes{Dtype::float16, Dtype::bfloat16};
  const Dtype given = dtype_of(flags.problem);
  gate::RandomLimits limits = random_limits(flags);
  if (variant.backend != dispatch::Backend::cpu) limits.dtypes = gpu_dtypes;
  if (flags.dtype_given) limits.dtypes = {&given, 1};
  const int count = nothing_given ? default_random : std::max(flags.random, 0);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t seed = flags.seed + static_cast<std::uint64_t>(i);
    const std::string dtype =
        flags.dtype_given ? fmt::format(" --dtype {}", core::name(given)) : "";
    work.push_back({gate::random_problem(seed, limits), seed,
                    fmt::format("--random 1 --seed {}{}", seed, dtype)});
  }
  return work;
}

/// A damaged buffer is as wrong as a wrong number.
std::string damage_reason(const gate::Damage& damage) {
  if (damage.guard_bytes + damage.input_bytes + damage.padding_bytes == 0) return "";
  return fmt::format(
      "changed {} bytes around the buffers, {} of the inputs, {} between output rows",
      damage.guard_bytes, damage.input_bytes, damage.padding_bytes);
}

Checked check(const VerifyFlags& flags, const Variant& variant, const Work& work) {
  Checked checked{.variant = &variant,
                  .problem = work.problem,
                  .seed = work.seed,
                  .accuracy = {},
                  .skipped = "",
                  .repeat = fmt::format("flashcore verify --variant {} {}{}", variant.name,
                                        work.flags, device_flags(flags))};
  try {
    const gate::Target target(work.problem, device_of(flags.problem, variant),
                              dispatch::pinned_of(variant));
    core::HostCall call = core::HostCall::random(work.problem, work.seed);
    const gate::Damage damage = target.run(call, work.seed);
    checked.accuracy = gate::check_sampled(call, true, work.seed, oracle_budget);
    if (std::string why = damage_reason(damage); !why.empty()) {
      checked.accuracy.correct = false;
      checked.accuracy.reason = why;
    }
  } catch (const core::Error& error) {
    if (error.status() == Status::unsupported || error.status() == Status::no_device)
      checked.skipped = error.what();
    else
      checked.accuracy.reason = error.what();
  }
  return checked;
}

std::vector<Checked> check_all(const VerifyFlags& flags) {
  std::vector<Checked> all;
  for (const Variant* variant : chosen_variants(flags.problem)) {
    const std::vector<Work> work = work_of(flags, *variant);
    Progress progress(work.size(), fmt::format("verify {}", variant->name));
    for (const Work& each : work) {
      progress.note(each.problem.to_string());
      all.push_back(check(flags, *variant, each));
      progress.advance();
    }
  }
  return all;
}

void print_report(const std::vector<Checked>& all) {
  constexpr auto right = Align::right;
  Table table({{"variant"},
               {"problem"},
               {"seed", right},
               {"max error", right},
               {"plain", right},
               {"verdict"}});
  for (const Checked& each : all) {
    const bool ran = each.skipped.empty();
    table.add_row({std::string{each.variant->name}, each.problem.to_string(),
                   std::to_string(each.seed),
                   ran ? fmt::format("{:.2e}", each.accuracy.max_error) : "-",
                   ran ? fmt::format("{:.2e}", each.accuracy.plain_error) : "-",
                   !ran                    ? "skipped: " + each.skipped
                   : each.accuracy.correct ? "correct"
                                           : "WRONG"});
  }
  fmt::print("{}", table.to_string());
}

nlohmann::json to_json(const std::vector<Checked>& all) {
  nlohmann::json checked = nlohmann::json::array();
  for (const Checked& each : all) {
    const bool ran = each.skipped.empty();
    checked.push_back({{"variant", each.variant->name},
                       {"problem", io::problem_to_json(each.problem)},
                       {"seed", each.seed},
                       {"status", !ran                    ? "skipped"
                                  : each.accuracy.correct ? "pass"
                                                          : "fail"},
                       {"detail", ran ? each.accuracy.reason : each.skipped},
                       {"max_error", each.accuracy.max_error},
                       {"plain_error", each.accuracy.plain_error},
                       {"repeat", each.repeat}});
  }
  return {{"schema", gate::schema_version}, {"checked", checked}};
}

int run_verify(const VerifyFlags& flags) {
  const std::vector<Checked> all = check_all(flags);
  if (flags.json)
    fmt::print("{}\n", to_json(all).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  else
    print_report(all);
  const auto ran = std::count_if(all.begin(), all.end(),
                                 [](const Checked& each) { return each.skipped.empty(); });
  const auto wrong = std::find_if(all.begin(), all.end(), [](const Checked& each) {
    return each.skipped.empty() && !each.accuracy.correct;
  });
  if (wrong != all.end()) {
    fmt::print(stderr, "flashcore: {}: {}\nflashcore: to repeat it: {}\n", wrong->variant->name,
               wrong->accuracy.reason, wrong->repeat);
    return exit_failed;
  }
  if (ran > 0) return exit_ok;
  fmt::print(stderr, "flashcore: nothing was checked\n");
  return exit_missing;
}

}  // namespace

void add_verify(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("verify", "Check variants against the float64 oracle");
  const auto flags = std::make_shared<VerifyFlags>();
  command->footer(verify_footer);
  add_problem_flags(*command, flags->problem);
  command->add_option("--random", flags->random, "Check this many random Problems")
      ->check(CLI::Range(0, 1000000));
  command->add_option("--seed", flags->seed, "Of the inputs and the first random Problem")
      ->capture_default_str();
  command->add_flag("--json", flags->json, "Print the report as JSON");
  command->callback([command, flags, &exit_code] {
    flags->dtype_given = command->count("--dtype") > 0;
    exit_code = run_verify(*flags);
  });
}

}  // namespace flashcore::cli
