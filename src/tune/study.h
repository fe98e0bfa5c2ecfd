// How well the strategies do on a recorded table: the same search over many seeds and budgets.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "tune/search.h"
#include "tune/table.h"

namespace flashcore::tune {

/// One strategy at one budget.
struct StudyPoint {
  StrategyKind strategy = StrategyKind::evolve;
  double budget = 0;  // part of the evaluations that an exhaustive search needs
  long evaluations = 0;
  /// The found best's time over the table's best, less 1: over the seeds.
  double median = 0, p25 = 0, p75 = 0;
};

/// The budgets that a study looks at: 5% to 100%.
std::span<const double> study_budgets();

/// `options` says everything but strategy, seed and evaluations. Seeds count from options.seed.
/// Throws invalid_argument for a table of which nothing passed its gates.
std::vector<StudyPoint> study(const Replay& replay, const SearchOptions& options, int seeds);

nlohmann::json study_to_json(std::span<const StudyPoint> points);

}  // namespace flashcore::tune
