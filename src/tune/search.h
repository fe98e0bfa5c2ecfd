// A search from its start to its stop: batches proposed, evaluated, scored and learned from.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "tune/outcome.h"
#include "tune/space.h"
#include "tune/strategy.h"

namespace flashcore::tune {

struct SearchOptions {
  StrategyKind strategy = StrategyKind::evolve;
  std::uint64_t seed = 1;
  int population = 24;
  int generations = 10;  // of an evolution; the other strategies stop at as many evaluations
  double elite = 0.1;
  long evaluations = 0;     // stop after so many, however many generations that is; 0: not by them
  int patience = 0;         // stop after so many generations without improvement; 0: not by them
  double time_limit_s = 0;  // start no generation after so long; 0: not by time
  double target_us = 0;     // stop when one is as fast; 0: not by a target
  Weights weights;
  /// Begin at a Config drawn by the seed, as if the family had none that it takes by itself: what a
  /// search finds is then its own.
  bool blind_start = false;
};

/// Why it ended.
enum class Stop { generations, evaluations, exhausted, target, patience, time };
std::string_view name(Stop stop);

struct Evaluation {
  std::size_t index = 0;  // in the Space
  int generation = 0;
  Outcome outcome;
  double fitness = 0;
};

struct SearchResult {
  std::vector<Evaluation> evaluations;  // in the order in which they were proposed
  std::optional<std::size_t> best;      // of them; empty where none passed its gates
  /// The first's time, or where it failed that of the first that passed: 1 in the fitness.
  double baseline_us = 0;
  int generations = 0;
  Stop stop = Stop::generations;
};

/// Evaluates a batch: one outcome for each, in its order. What it throws ends the search.
using Evaluate =
    std::function<std::vector<Outcome>(std::span<const std::size_t> batch, int generation)>;

/// Is told after every generation.
using Observe = std::function<void(const SearchResult&)>;

/// Throws invalid_argument for options that make no search.
SearchResult search(const Space& space, const SearchOptions& options, const Evaluate& evaluate,
                    const Observe& observe = {});

/// Where in the space it begins: evaluated first, and the fitness's baseline.
std::size_t start_of(const Space& space, const SearchOptions& options);

/// The most evaluations that the options allow in a space.
long evaluation_limit(const Space& space, const SearchOptions& options);

}  // namespace flashcore::tune
