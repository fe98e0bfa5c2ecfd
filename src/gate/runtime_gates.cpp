#include "gate/runtime_gates.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>

#include "core/error.h"
#include "core/parallel.h"
#include "emulate/call.h"
#include "family/family.h"
#include "gate/rules.h"
#include "gate/sampling.h"
#include "gate/tile_conflicts.h"

namespace flashcore::gate {

using core::HostCall;

namespace {

/// Multiply-adds that the oracle may take per call; the mission shape has 2^27.
constexpr double correctness_budget = 0x1p28;
constexpr double stability_budget = 0x1p27;
constexpr double safety_budget = 0x1p25;

/// Bytes of tensors that the trials may hold at once.
constexpr double trial_memory = 0x1p32;

/// Of the rows alone: what lies between them is poison.
std::uint64_t hash_outputs(const HostCall& call) {
  const core::Problem& p = call.problem;
  const std::size_t size = core::size_of(p.dtype);
  std::uint64_t hash = XXH3_64bits(call.lse.data(), call.lse.size() * sizeof(float));
  for (std::int64_t b = 0; b < p.batch; ++b)
    for (std::int64_t h = 0; h < p.heads_q; ++h)
      for (std::int64_t s = 0; s < p.seq_q; ++s) {
        const auto first = static_cast<std::size_t>(p.o_strides.offset(b, h, s));
        hash = XXH3_64bits_withSeed(call.o.data() + first * size,
                                    static_cast<std::size_t>(p.head_dim) * size, hash);
      }
  return hash;
}

std::size_t trials_at_once(const core::Problem& problem) {
  return static_cast<std::size_t>(std::max(1.0, trial_memory / problem.bytes()));
}

double as_count(std::size_t value) {
  return static_cast<double>(value);
}

/// The hashes of several runs' outputs; `look` is called after each, with its number.
std::vector<std::uint64_t> hashes_of_runs(const Target& target, HostCall& call,
                                          const std::function<void(int)>& look) {
  std::vector<std::uint64_t> hashes;
  target.repeat(call, determinism_runs, [&](int run) {
    hashes.push_back(hash_outputs(call));
    look(run);
  });
  return hashes;
}

/// The outcome of one trial: empty when it was correct.
std::string run_trial(const Target& target, std::uint64_t seed) {
  HostCall call = HostCall::random(target.problem(), seed);
  try {
    target.run(call, seed);
  } catch (const core::Error& error) {
    return fmt::format("seed {}: {}", seed, error.what());
  }
  const Accuracy accuracy = check_sampled(call, true, seed, stability_budget);
  return accuracy.correct ? "" : fmt::format("seed {}: {}", seed, accuracy.reason);
}

}  // namespace

GateResult run_correctness(const Target& target, const RunOptions& options) {
  HostCall call = HostCall::random(target.problem(), options.seed);
  target.run(call);
  const Accuracy accuracy = correctness_sample(call, options.seed).check(call, true);
  std::vector<Check> checks{{.what = "incorrect_calls", .measured = accuracy.correct ? 0.0 : 1.0}};
  if (const auto limit = absolute_error_limit(target.problem()))
    checks.push_back({.what = "max_error", .measured = accuracy.max_error, .limit = *limit});
  return judge(std::move(checks), accuracy.correct
                                      ? fmt::format("max error {:.2e}, plain implementation {:.2e}",
                                                    accuracy.max_error, accuracy.plain_error)
                                      : fmt::format("seed {}: {}", options.seed, accuracy.reason));
}

GateResult run_determinism(const Target& target, const RunOptions& options) {
  HostCall call = HostCall::random(target.problem(), options.seed);
  const auto hashes = hashes_of_runs(target, call, [](int) {});
  const auto differing = std::count_if(hashes.begin(), hashes.end(),
                                       [&](std::uint64_t hash) { return hash != hashes.front(); });
  const auto missing = determinism_runs - static_cast<int>(hashes.size());
  return judge({{.what = "missing_runs", .measured = static_cast<double>(missing)},
                {.what = "differing_hashes", .measured = static_cast<double>(differing)}},
               fmt::format("{} runs, hash {:016x}", hashes.size(), hashes.front()));
}

Sample correctness_sample(HostCall& call, std::uint64_t seed) {
  return {call, seed, correctness_budget};
}

Screening screen(const Target& target, HostCall& call, const Sample& sample) {
  Screening screening;
  const auto hashes = hashes_of_runs(target, call, [&](int run) {
    if (run == 0) screening.accuracy = sample.check(call, true);
  });
  screening.deterministic =
      std::count(hashes.begin(), hashes.end(), hashes.front()) == determinism_runs;
  return screening;
}

GateResult run_stability(const Target& target, const RunOptions& options) {
  if (options.trials < stability_trials)
    return skipped(
        fmt::format("{} trials were asked for, the rule is {}", options.trials, stability_trials));
  std::vector<std::string> failures(static_cast<std::size_t>(options.trials));
  std::atomic<int> done = 0;
  core::parallel_for(failures.size(), trials_at_once(target.problem()), [&](std::size_t trial) {
    failures[trial] = run_trial(target, options.seed + 1000 + trial);
    ++done;
  });
  const auto incorrect = std::count_if(failures.begin(), failures.end(),
                                       [](const std::string& failure) { return !failure.empty(); });
  const auto first = std::find_if(failures.begin(), failures.end(),
                                  [](const std::string& failure) { return !failure.empty(); });
  return judge(
      {{.what = "missing_trials", .measured = static_cast<double>(options.trials - done)},
       {.what = "incorrect_trials", .measured = static_cast<double>(incorrect)}},
      first == failures.end() ? fmt::format("{} trials on fresh inputs", options.trials) : *first);
}

GateResult run_safety(const Target& target, const RunOptions& options) {
  HostCall call = HostCall::random(target.problem(), options.seed);
  Damage damage = target.run(call);
  // A NaN in the first query of the first head and in the last key of the last: check_accuracy
  // wants it in exactly the rows where the oracle has it.
  HostCall tainted = HostCall::random(target.problem(), options.seed + 1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  if (tainted.q.elements() > 0) tainted.q.set(0, nan);
  if (tainted.k.elements() > 0) tainted.k.set(tainted.k.elements() - 1, nan);
  damage += target.run(tainted);
  const Accuracy accuracy = check_sampled(tainted, false, options.seed, safety_budget);
  return judge({{.what = "guard_bytes_changed", .measured = as_count(damage.guard_bytes)},
                {.what = "input_bytes_changed", .measured = as_count(damage.input_bytes)},
                {.what = "padding_bytes_changed", .measured = as_count(damage.padding_bytes)},
                {.what = "spread_of_nan", .measured = accuracy.correct ? 0.0 : 1.0}},
               accuracy.correct ? "guard zones, inputs and padding untouched" : accuracy.reason);
}

GateResult run_tile_conflicts(const Target& target, const RunOptions& options) {
  const dispatch::Choice& choice = target.choice();
  const family::Family* family = family::find_family(choice.family);
  if (target.device().backend != dispatch::Backend::emulator || family == nullptr)
    return skipped("bank conflicts are counted on the emulator alone");
  if (!family->budget(family::ConfigFields::parse(choice.config)).conflict_free_tiles)
    return skipped(fmt::format("{} does not promise tiles without bank conflicts", family->name()));
  HostCall call = HostCall::random(target.problem(), options.seed);
  emulate::Report report;
  target.run_emulated(call, {}, report);
  if (!report.findings.empty()) return broken(emulate::describe(report));
  emulate::name_lines(report.counts);
  return judge_tile_conflicts(report.counts);
}

GateResult run_gate(std::string_view name, const Target& target, const RunOptions& options) {
  if (name == "correctness") return run_correctness(target, options);
  if (name == "determinism") return run_determinism(target, options);
  if (name == "stability") return run_stability(target, options);
  if (name == "safety") return run_safety(target, options);
  if (name == conflict_gate) return run_tile_conflicts(target, options);
  core::fail(core::Status::invalid_argument, "gate: {} is not one that runs the call", name);
}

}  // namespace flashcore::gate
