#include "tune/finals.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "gate/statistics.h"
#include "tune/pinned_config.h"

namespace flashcore::tune {

namespace {

/// Beyond the noise that a candidate's few rounds show: what one process's memory layout and clocks
/// make of the same Config.
constexpr double run_to_run = 0.02;

/// What a process's place in memory makes of a time, however often it is measured there: a lead of
/// less is a tie.
constexpr double least_lead = 0.005;

bool may_be_as_fast(const Outcome& candidate, const Outcome& best) {
  const double margin = candidate.noise + best.noise + run_to_run;
  return candidate.latency_us <= best.latency_us * (1 + margin);
}

/// Every gate that was asked passed, and it was timed.
bool passed(const gate::CaseRecord& record) {
  return record.timing &&
         std::all_of(record.gates.begin(), record.gates.end(),
                     [](const auto& each) { return each.second.verdict != gate::Verdict::fail; });
}

/// A finalist's time over the start's, and how far that may be off.
struct Ratio {
  double median, noise;
};

/// Turn by turn: what the GPU's clock did in a round it did to both.
Ratio ratio_of(const Finalist& finalist, const Finalist& start) {
  const gate::Turns &ours = finalist.record.cold_turns, &theirs = start.record.cold_turns;
  std::vector<double> ratios = gate::round_ratios(ours.first, theirs.first);
  const std::vector<double> again = gate::round_ratios(ours.again, theirs.again);
  const double noise = gate::noise_of(ratios, again);
  ratios.insert(ratios.end(), again.begin(), again.end());
  return {gate::median(ratios), noise};
}

}  // namespace

std::vector<std::size_t> choose_finalists(const SearchResult& result, std::size_t most) {
  if (!result.best) return {};
  const auto& all = result.evaluations;
  std::vector<std::size_t> finalists;
  for (std::size_t i = 1; i < all.size(); ++i)  // the first is the start
    if (all[i].outcome.eligible() &&
        (i == *result.best || may_be_as_fast(all[i].outcome, all[*result.best].outcome)))
      finalists.push_back(i);
  std::stable_sort(finalists.begin(), finalists.end(),
                   [&](std::size_t a, std::size_t b) { return all[a].fitness > all[b].fitness; });
  if (finalists.size() > most) finalists.resize(most);
  if (all.front().outcome.eligible()) finalists.push_back(0);
  return finalists;
}

void decide(Finals& finals, const Weights& weights) {
  finals.winner.reset();
  finals.reason = "none of the finalists passed every gate";
  const auto& all = finals.finalists;
  const auto start = std::find_if(all.begin(), all.end(), [](const Finalist& each) {
    return each.is_start && passed(each.record);
  });
  const bool has_start = start != all.end();
  const auto fitness_of = [&](const Finalist& each, double relative_time) {
    return fitness({.latency_us = relative_time, .max_error = each.max_error}, 1, weights);
  };
  double best = -std::numeric_limits<double>::infinity();
  if (has_start) {
    best = fitness_of(*start, 1);
    finals.winner = start - all.begin();
    finals.reason = "the default stays: nothing is faster by more than the noise";
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].is_start || !passed(all[i].record)) continue;
    const Ratio ratio =
        has_start ? ratio_of(all[i], *start) : Ratio{all[i].record.timing->cold.median, 0};
    const double fitness = fitness_of(all[i], ratio.median);
    if (fitness <= best) continue;
    if (has_start && ratio.median >= 1 - std::max(ratio.noise, least_lead)) continue;
    best = fitness;
    finals.winner = i;
    finals.reason = has_start ? fmt::format("{:.1f}% faster than the default, the noise is {:.1f}%",
                                            100 * (1 / ratio.median - 1), 100 * ratio.noise)
                              : "the default does not pass its gates";
  }
}

void decide_gated(Finals& finals, const Weights& weights, const RunGates& run_gates) {
  std::vector<bool> gated(finals.finalists.size());
  while (true) {
    decide(finals, weights);
    std::vector<std::size_t> undecided;
    for (std::size_t i = 0; i < gated.size(); ++i)
      if (!gated[i] && passed(finals.finalists[i].record) &&
          (finals.finalists[i].is_start || finals.winner == i))
        undecided.push_back(i);
    if (undecided.empty()) return;
    run_gates(finals, undecided);
    for (const std::size_t i : undecided) gated[i] = true;
  }
}

Finals run_finals(const SearchResult& result, const Space& space, std::string_view family,
                  const core::Problem& problem, const Weights& weights,
                  const bench::CaseOptions& options, bench::TorchPeer* peer) {
  std::vector<std::unique_ptr<PinnedConfig>> pinned;
  std::vector<const dispatch::Variant*> variants;
  Finals finals;
  for (const std::size_t i : choose_finalists(result)) {
    const Evaluation& each = result.evaluations[i];
    const family::ConfigFields& config = space.config(each.index);
    const std::string name = i == 0 ? "default" : fmt::format("finalist {}", pinned.size() + 1);
    pinned.push_back(std::make_unique<PinnedConfig>(name, family, config));
    variants.push_back(&pinned.back()->variant());
    finals.finalists.push_back({.config = config.to_string(),
                                .max_error = each.outcome.max_error,
                                .is_start = each.index == space.start(),
                                .record = {}});
  }
  bench::CaseOptions own = options;
  bench::WorkerPool workers;
  own.workers = &workers;
  own.targets.cold_us = 1e12;  // who is fast enough is decided here, not by the latency gate
  own.gates_left_out = {"ptxas", "correctness", "determinism", "stability", "safety"};
  auto records = bench::run_cases(variants, problem, own, peer);
  for (std::size_t i = 0; i < records.size(); ++i)
    finals.finalists[i].record = std::move(records[i]);
  own.gates_left_out = {"ptxas", "latency"};  // asked of this GPU's architecture, and timed, before
  decide_gated(finals, weights, [&](Finals& all, std::span<const std::size_t> which) {
    std::vector<const dispatch::Variant*> chosen;
    for (const std::size_t i : which) chosen.push_back(variants[i]);
    const auto gated = bench::run_cases(chosen, problem, own, nullptr);
    for (std::size_t i = 0; i < which.size(); ++i)
      for (const auto& [name, verdict] : gated[i].gates)
        if (name != "latency") all.finalists[which[i]].record.gates[name] = verdict;
  });
  return finals;
}

nlohmann::json finals_to_json(const Finals& finals) {
  nlohmann::json list = nlohmann::json::array();
  for (const Finalist& finalist : finals.finalists)
    list.push_back({{"config", finalist.config},
                    {"max_error", finalist.max_error},
                    {"record", gate::case_to_json(finalist.record)}});
  return {{"finalists", std::move(list)},
          {"winner", finals.winner ? nlohmann::json(*finals.winner) : nlohmann::json(nullptr)},
          {"reason", finals.reason}};
}

}  // namespace flashcore::tune
