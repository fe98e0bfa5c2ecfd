#include "tune/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/parallel.h"
#include "gate/statistics.h"

namespace flashcore::tune {

namespace {

constexpr std::array studied{StrategyKind::evolve, StrategyKind::anneal, StrategyKind::random};

constexpr double nothing_found = 10;  // as the excess of a search that no Config came through

/// How much slower than the table's best a search's best is.
double excess(const Replay& replay, const SearchOptions& options) {
  const SearchResult result =
      search(replay.space(), options,
             [&](std::span<const std::size_t> batch, int) { return replay.evaluate(batch); });
  if (!result.best) return nothing_found;
  return result.evaluations[*result.best].outcome.latency_us / replay.best_us() - 1;
}

StudyPoint study_point(const Replay& replay, SearchOptions options, int seeds) {
  std::vector<double> excesses(static_cast<std::size_t>(seeds));
  core::parallel_for(excesses.size(), [&](std::size_t i) {
    SearchOptions own = options;
    own.seed = options.seed + i;
    excesses[i] = excess(replay, own);
  });
  return {.strategy = options.strategy,
          .evaluations = options.evaluations,
          .median = gate::median(excesses),
          .p25 = gate::quantile(excesses, 0.25),
          .p75 = gate::quantile(excesses, 0.75)};
}

}  // namespace

std::span<const double> study_budgets() {
  static constexpr std::array budgets{0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0};
  return budgets;
}

std::vector<StudyPoint> study(const Replay& replay, const SearchOptions& options, int seeds) {
  if (replay.best_us() == 0)
    core::fail(core::Status::invalid_argument, "simulate: nothing in the table passed its gates");
  std::vector<StudyPoint> points;
  for (const StrategyKind strategy : studied)
    for (const double budget : study_budgets()) {
      SearchOptions own = options;
      own.strategy = strategy;
      own.evaluations =
          std::max(1L, std::lround(budget * static_cast<double>(replay.space().size())));
      points.push_back(study_point(replay, own, seeds));
      points.back().budget = budget;
    }
  return points;
}

nlohmann::json study_to_json(std::span<const StudyPoint> points) {
  nlohmann::json list = nlohmann::json::array();
  for (const StudyPoint& point : points)
    list.push_back({{"strategy", name(point.strategy)},
                    {"budget", point.budget},
                    {"evaluations", point.evaluations},
                    {"median_excess", point.median},
                    {"p25_excess", point.p25},
                    {"p75_excess", point.p75}});
  return list;
}

}  // namespace flashcore::tune
