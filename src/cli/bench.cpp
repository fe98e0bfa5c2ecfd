#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>

#include "bench/run_case.h"
#include "bench/shape.h"
#include "bench/summary.h"
#include "cli/bench_table.h"
#include "cli/commands.h"
#include "cli/config_variants.h"
#include "cli/ladder.h"
#include "cli/problem_flags.h"
#include "cli/progress.h"
#include "cli/result_file.h"
#include "core/error.h"
#include "gate/rules.h"

namespace flashcore::cli {

using bench::CaseOptions;
using core::fail;
using core::Problem;
using core::Status;
using gate::CaseRecord;

namespace {

struct BenchFlags {
  ProblemFlags problem;
  std::vector<std::string> configs;
  std::string suites;
  bool all_gates = false;
  std::string peers = "none";
  std::string json;
  CaseOptions options;
  double phase_limit_s = 300;
  double target_us = 0;
  double target_ratio = 0;
  std::string fault;
};

constexpr const char* bench_footer = R"(
Every variant runs in a process of its own through six gates (ptxas, correctness, determinism,
stability, safety, latency) and is timed: cold (buffers that no cache holds), warm (the same buffers)
and eager (from the host's call to completion), each the median over rounds in which the peers take
turns. `ours/peer` is our cold time over the fastest peer's: below 1 is faster.

`--config` times the variant and Configs of its family in the same rounds: which is faster here?

`--variant ladder` runs every rung of the ladder at the mission shape in the same rounds and holds
each to its limit, a multiple of SDPA's flash backend.

`--device emulator` executes the GPU kernels on the CPU, thread by thread, with every access and
barrier checked: every gate but latency, and the bank conflicts of the tiles. It is not timing.
Without --shape and --suite: S=128 D=64 H=1.

Examples:
  flashcore bench
  flashcore bench --shape b=4,h=16,s=2048,d=128 --mask causal_bottom_right --peers torch
  flashcore bench --variant v12_baseline --suite mission,small --json results/v12.json
  flashcore bench --variant phase_2e --suite sweep --peers torch:flash --json results/sweep.json
  flashcore bench --variant ladder --peers torch --json results/bench_ladder.json
  flashcore bench --variant phase_3a --config stages=3,q_stages=1 --config overlap_output=0
  flashcore bench --device emulator --variant phase_2e

Exit status: 0 no gate failed, 1 one did, 2 bad usage, 3 no GPU where one was asked for, or a rung
of the ladder that was not measured.)";

std::vector<Problem> problems_of(const BenchFlags& flags) {
  const core::Dtype dtype = dtype_of(flags.problem);
  const core::Mask mask = mask_of(flags.problem);
  std::vector<Problem> problems = shape_problems(flags.problem);
  std::string suites = flags.suites;
  if (suites.empty() && problems.empty() && flags.problem.emulated())
    problems.push_back(bench::to_problem(bench::emulated_shape, dtype, mask));
  if (suites.empty() && problems.empty()) suites = "mission";
  if (!suites.empty())
    for (const Problem& problem : bench::suite_problems(suites, dtype, mask))
      problems.push_back(problem);
  return problems;
}

CaseOptions case_options(const BenchFlags& flags) {
  CaseOptions options = flags.options;
  options.phase_limit = std::chrono::duration<double>(flags.phase_limit_s);
  if (flags.problem.emulated()) options.emulated = core::known_arch(flags.problem.arch);
  if (flags.target_us > 0) options.targets.cold_us = flags.target_us;
  if (flags.target_ratio > 0) options.targets.ratio = flags.target_ratio;
  if (!flags.fault.empty()) {
    const auto colon = flags.fault.find(':');
    if (colon == std::string::npos)
      fail(Status::invalid_argument, "fault: '{}' is not PHASE:KIND", flags.fault);
    options.fault = {flags.fault.substr(0, colon), flags.fault.substr(colon + 1)};
  }
  return options;
}

bench::WorkerPool& workers() {
  static bench::WorkerPool pool;
  return pool;
}

/// The sweep's 36 large Problems are asked what depends on the shape: correct, and how fast.
std::vector<std::string> gates_left_out(const BenchFlags& flags, const Problem& problem) {
  const bool has_sweep = flags.suites.find("sweep") != std::string::npos;
  if (!has_sweep || flags.all_gates) return {};
  const auto sweep = bench::suite_problems("sweep", problem.dtype, problem.mask);
  if (std::find(sweep.begin(), sweep.end(), problem) == sweep.end()) return {};
  return {"determinism", "stability", "safety"};
}

/// The variants asked for, in groups that are timed in the same rounds: one by one, unless Configs
/// of one are compared.
class Groups {
 public:
  Groups(const BenchFlags& flags, std::span<const Problem> problems)
      : chosen_(chosen_variants(flags.problem)) {
    if (flags.configs.empty()) {
      for (const auto& variant : chosen_) groups_.emplace_back(&variant, 1);
      return;
    }
    if (flags.problem.variants.size() != 1 || chosen_.size() != 1)
      fail(Status::invalid_argument, "config: needs one --variant, {} are given",
           flags.problem.variants.size());
    groups_.push_back(configs_.emplace(*chosen_.front(), flags.configs).all());
    const dispatch::Device device = device_of(flags.problem, *chosen_.front());
    if (!dispatch::runs_on(*chosen_.front(), device)) return;
    for (const Problem& problem : problems)
      configs_->require_valid(problem, dispatch::limits_of(device));
  }
  Groups(const Groups&) = delete;
  Groups& operator=(const Groups&) = delete;

  using Group = std::span<const dispatch::Variant* const>;
  [[nodiscard]] const std::vector<Group>& all() const { return groups_; }

 private:
  std::vector<const dispatch::Variant*> chosen_;
  std::optional<ConfigVariants> configs_;
  std::vector<Group> groups_;
};

std::vector<CaseRecord> run_each(const BenchFlags& flags, const Groups& groups,
                                 std::span<const Problem> problems, CaseOptions& options,
                                 bench::TorchPeer* peer, ResultFile& results) {
  std::vector<CaseRecord> records;
  Progress progress(groups.all().size() * problems.size(), "bench");
  for (const Groups::Group group : groups.all())
    for (const Problem& problem : problems) {
      options.progress = [&](std::string_view phase) {
        progress.note(fmt::format("{}: {}", problem.to_string(), phase));
      };
      options.gates_left_out = gates_left_out(flags, problem);
      for (CaseRecord& record : run_and_record(group, problem, options, peer, results))
        records.push_back(std::move(record));
      progress.advance();
    }
  return records;
}

std::vector<CaseRecord> run_rungs(const BenchFlags& flags, CaseOptions& options,
                                  bench::TorchPeer* peer, ResultFile& results) {
  if (!flags.problem.shapes.empty() || !flags.suites.empty() || flags.problem.variants.size() > 1)
    fail(Status::invalid_argument,
         "variant: ladder runs alone and at the mission shape, without --shape and --suite");
  if (!flags.configs.empty())
    fail(Status::invalid_argument, "config: the ladder's rungs have their own");
  if (options.emulated)
    fail(Status::invalid_argument, "variant: ladder is timed, and device: emulator is not");
  Progress progress(0, "ladder");
  options.progress = [&](std::string_view phase) { progress.note(phase); };
  options.as_rung = true;
  return run_and_record(ladder_variants(), gate::mission_problem(), options, peer, results);
}

int run_bench(const BenchFlags& flags) {
  const auto& names = flags.problem.variants;
  const bool is_ladder = std::find(names.begin(), names.end(), "ladder") != names.end();
  CaseOptions options = case_options(flags);
  options.workers = &workers();
  const bench::PeerChoice peers = bench::parse_peers(flags.peers);
  std::vector<Problem> problems;
  std::optional<Groups> groups;
  if (!is_ladder) {  // what is wrong with the flags is said before anything is written
    problems = problems_of(flags);
    groups.emplace(flags, problems);
  }
  ResultFile results(flags.json);
  std::optional<bench::TorchPeer> peer;
  if (peers.torch) peer.emplace(bench::torch_peer_command(), options.phase_limit, peers.backends);
  bench::TorchPeer* const peer_or_none = peer ? &*peer : nullptr;
  const std::vector<CaseRecord> records =
      groups ? run_each(flags, *groups, problems, options, peer_or_none, results)
             : run_rungs(flags, options, peer_or_none, results);
  std::FILE* for_people = results.to_stdout() ? stderr : stdout;
  fmt::print(for_people, "{}{}{}{}",
             is_ladder          ? ladder_table(records)
             : options.emulated ? emulated_table(records)
                                : bench_table(records),
             peer_summary_table(bench::summarize_peers(records)), choice_notes(records),
             gate_notes(records));
  results.finish();
  if (any_failed(records)) return exit_failed;
  if (!is_ladder) return exit_ok;
  const std::string missing = not_measured_rungs(records);
  fmt::print(for_people, "{}", missing);
  return missing.empty() ? exit_ok : exit_missing;
}

void add_flags(CLI::App& command, BenchFlags& flags) {
  add_problem_flags(command, flags.problem);
  command.add_option(
      "--config", flags.configs,
      "Fields of the Config that differ from the variant's, as block_kv=64,stages=3: "
      "timed beside it, in the same rounds; may be repeated");
  command.add_option(
      "--suite", flags.suites,
      "mission (b=1,h=8,s=512,d=64), small, sweep (16k tokens, 36 shapes), or several "
      "with commas; mission where no --shape is given");
  command
      .add_option("--peers", flags.peers,
                  "torch: PyTorch's SDPA by $FLASHCORE_PYTHON or python3, every backend that the "
                  "device has; some of torch:flash,torch:cudnn,torch:efficient,torch:cpu; none")
      ->capture_default_str();
  command.add_flag("--overlap", flags.options.overlap,
                   "On a GPU, let each of our calls start while the one before it ends (the C "
                   "interface's `overlap`); peers have no such choice");
  command.add_flag("--all-gates", flags.all_gates,
                   "Run every gate on the sweep's shapes too: by default they are asked for ptxas, "
                   "correctness and latency");
  command.add_option("--json", flags.json, "Write the results to this file, or - for stdout");
  CaseOptions& options = flags.options;
  command.add_option("--rounds", options.rounds, "Rounds of the measurement")
      ->check(CLI::Range(3, 1000))
      ->capture_default_str();
  command
      .add_option("--trials", options.trials,
                  "Trials of the stability gate; fewer than 20 leave it skipped")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command.add_option("--seed", options.seed, "Of the random inputs")->capture_default_str();
  command
      .add_option("--time-limit", flags.phase_limit_s,
                  "Seconds that a gate or a round may take before its process is stopped")
      ->check(CLI::Range(0.1, 1e6))
      ->capture_default_str();
  command.add_option("--target-us", flags.target_us, "Latency gate: the most microseconds, cold")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--target-ratio", flags.target_ratio,
                  "Latency gate: the most that ours/peer may be")
      ->check(CLI::PositiveNumber);
  command.add_option("--fault", flags.fault)->group("");  // for the tests: bench/run_case.h
}

}  // namespace

void add_bench(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("bench", "Time variants and peers, and run the gates");
  const auto flags = std::make_shared<BenchFlags>();
  command->footer(bench_footer);
  add_flags(*command, *flags);
  command->callback([flags, &exit_code] { exit_code = run_bench(*flags); });
}

}  // namespace flashcore::cli
