// Ways to choose what to try next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "tune/space.h"

namespace flashcore::tune {

enum class StrategyKind { evolve, random, exhaustive, anneal };

std::string_view name(StrategyKind kind);
/// Throws invalid_argument naming those that there are.
StrategyKind strategy_from_name(std::string_view text);

/// A candidate that was tried.
struct Scored {
  std::size_t index = 0;  // in the Space
  bool eligible = false;  // passed every gate
  double fitness = 0;
};

/// What passed every gate is better than what did not, then the fitter.
bool better(const Scored& a, const Scored& b);

/// Proposes batches, the first of which begins with options.start, and learns what became of them.
/// The same seed and the same outcomes give the same proposals.
class Strategy {
 public:
  Strategy() = default;
  Strategy(const Strategy&) = delete;
  Strategy& operator=(const Strategy&) = delete;
  virtual ~Strategy() = default;

  /// What to try next, nothing that was proposed before; empty where all has been.
  virtual std::vector<std::size_t> propose() = 0;
  /// The outcomes of what was proposed last.
  virtual void learn(std::span<const Scored> results) = 0;
};

struct StrategyOptions {
  StrategyKind kind = StrategyKind::evolve;
  std::uint64_t seed = 1;
  std::size_t start = 0;   // in the Space
  int population = 24;     // candidates of a batch
  double elite = 0.1;      // part of the population that is kept as it is
  long evaluations = 240;  // at most: annealing cools down over them
};

std::unique_ptr<Strategy> make_strategy(const Space& space, const StrategyOptions& options);

}  // namespace flashcore::tune
