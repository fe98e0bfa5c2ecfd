// The strategies with a file of their own.
#pragma once

#include <memory>

#include "tune/strategy.h"

namespace flashcore::tune {

/// A genetic algorithm: generations of crossed and mutated Configs, the fittest kept.
std::unique_ptr<Strategy> make_evolve(const Space& space, const StrategyOptions& options);

/// Simulated annealing: a few walkers, each a step at a time, ever less ready to step down.
std::unique_ptr<Strategy> make_anneal(const Space& space, const StrategyOptions& options);

}  // namespace flashcore::tune
