#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/provenance.h"
#include "bench/run_case.h"
#include "bench/shape.h"
#include "cli/bench_table.h"
#include "cli/commands.h"
#include "cli/problem_flags.h"
#include "cli/progress.h"
#include "core/error.h"
#include "gate/rules.h"
#include "io/file.h"

namespace flashcore::cli {

using bench::CaseOptions;
using core::fail;
using core::Problem;
using core::Status;
using gate::CaseRecord;
using nlohmann::json;

namespace {

struct BenchFlags {
  ProblemFlags problem;
  std::string suites;
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

Examples:
  flashcore bench
  flashcore bench --shape b=4,h=16,s=2048,d=128 --mask causal_bottom_right --peers torch
  flashcore bench --variant v12_baseline --suite mission,small --json results/v12.json

Exit status: 0 no gate failed, 1 one did, 2 bad usage, 3 no GPU where one was asked for.)";

std::vector<Problem> problems_of(const BenchFlags& flags) {
  const core::Dtype dtype = dtype_of(flags.problem);
  const core::Mask mask = mask_of(flags.problem);
  std::vector<Problem> problems = shape_problems(flags.problem);
  std::string suites = flags.suites;
  if (suites.empty() && problems.empty()) suites = "mission";
  if (!suites.empty())
    for (const Problem& problem : bench::suite_problems(suites, dtype, mask))
      problems.push_back(problem);
  return problems;
}

CaseOptions case_options(const BenchFlags& flags) {
  CaseOptions options = flags.options;
  options.phase_limit = std::chrono::duration<double>(flags.phase_limit_s);
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

/// This process's own, as it was typed, but for the folder that the program lies in.
std::vector<std::string> command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  if (!words.empty()) words.front() = std::filesystem::path(words.front()).filename().string();
  return words;
}

/// Grows case by case: what was measured is kept, whatever happens next.
class ResultFile {
 public:
  explicit ResultFile(std::string path) : path_(std::move(path)) {
    if (to_file()) io::OutputFile{path_};  // a path that cannot be written is found out now
    document_ = {{"schema", gate::schema_version},
                 {"cases", json::array()},
                 {"provenance", bench::run_provenance(command_line())}};
  }

  [[nodiscard]] const json& provenance() const { return document_["provenance"]; }
  [[nodiscard]] bool to_stdout() const { return path_ == "-"; }

  void add(json entry) {
    document_["cases"].push_back(std::move(entry));
    if (!to_file()) return;
    const std::string text = document_.dump(2) + '\n';
    io::OutputFile file(path_);
    file.write(text.data(), text.size());
    file.commit();
  }

  void finish() const {
    if (to_stdout()) fmt::print("{}\n", document_.dump(2));
  }

 private:
  [[nodiscard]] bool to_file() const { return !path_.empty() && !to_stdout(); }

  std::string path_;
  json document_;
};

/// One case, with where and how it was measured beside its result.
CaseRecord run_one(const dispatch::Variant& variant, const Problem& problem,
                   const CaseOptions& options, bench::TorchPeer* peer, ResultFile& results) {
  json provenance = results.provenance();
  provenance["seed"] = options.seed;
  provenance["rounds"] = options.rounds;
  provenance["trials"] = options.trials;
  const bool needs_gpu = variant.backend != dispatch::Backend::cpu;
  const json before = needs_gpu ? bench::gpu_state(options.ordinal) : json(nullptr);
  CaseRecord record = bench::run_case(variant, problem, options, peer);
  provenance["gpu_before"] = before;
  provenance["gpu_after"] = needs_gpu ? bench::gpu_state(options.ordinal) : json(nullptr);
  json entry = gate::case_to_json(record);
  entry["provenance"] = std::move(provenance);
  results.add(std::move(entry));
  return record;
}

bool any_failed(const std::vector<CaseRecord>& records) {
  for (const CaseRecord& record : records)
    for (const auto& [gate, result] : record.gates)
      if (result.verdict == gate::Verdict::fail) return true;
  return false;
}

int run_bench(const BenchFlags& flags) {
  const std::vector<Problem> problems = problems_of(flags);
  CaseOptions options = case_options(flags);
  const auto variants = chosen_variants(flags.problem);
  ResultFile results(flags.json);
  std::optional<bench::TorchPeer> peer;
  if (flags.peers == "torch") peer.emplace(bench::torch_peer_command(), options.phase_limit);

  std::vector<CaseRecord> records;
  Progress progress(variants.size() * problems.size(), "bench");
  for (const dispatch::Variant* variant : variants)
    for (const Problem& problem : problems) {
      options.progress = [&](std::string_view phase) {
        progress.note(fmt::format("{}, {}: {}", variant->name, problem.to_string(), phase));
      };
      records.push_back(run_one(*variant, problem, options, peer ? &*peer : nullptr, results));
      progress.advance();
    }
  progress.clear();
  std::FILE* for_people = results.to_stdout() ? stderr : stdout;
  fmt::print(for_people, "{}{}", bench_table(records), gate_notes(records));
  results.finish();
  return any_failed(records) ? exit_failed : exit_ok;
}

void add_flags(CLI::App& command, BenchFlags& flags) {
  add_problem_flags(command, flags.problem);
  command.add_option(
      "--suite", flags.suites,
      "mission (b=1,h=8,s=512,d=64), small, sweep (16k tokens, 36 shapes), or several "
      "with commas; mission where no --shape is given");
  command
      .add_option("--peers", flags.peers,
                  "torch: PyTorch's SDPA by $FLASHCORE_PYTHON or python3; none")
      ->check(CLI::IsMember({"torch", "none"}))
      ->capture_default_str();
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
