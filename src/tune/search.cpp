#include "tune/search.h"

#include <algorithm>
#include <chrono>

#include "core/error.h"

namespace flashcore::tune {

using core::fail;
using core::Status;

namespace {

void check_options(const SearchOptions& options) {
  if (options.population < 1)
    fail(Status::invalid_argument, "population: {} is not at least 1", options.population);
  if (options.generations < 1)
    fail(Status::invalid_argument, "generations: {} is not at least 1", options.generations);
  if (!(options.elite >= 0 && options.elite < 1))
    fail(Status::invalid_argument, "elite: {} is not in [0, 1)", options.elite);
  if (!(options.weights.error_unit > 0))
    fail(Status::invalid_argument, "error_unit: {} is not above 0", options.weights.error_unit);
}

class Searcher {
 public:
  Searcher(const Space& space, const SearchOptions& options)
      : options_(options),
        size_(static_cast<long>(space.size())),
        limit_(evaluation_limit(space, options)),
        strategy_(make_strategy(space, {.kind = options.strategy,
                                        .seed = options.seed,
                                        .start = start_of(space, options),
                                        .population = options.population,
                                        .elite = options.elite,
                                        .evaluations = limit_})) {}

  SearchResult run(const Evaluate& evaluate, const Observe& observe) {
    while (!stopped()) {
      std::vector<std::size_t> batch = strategy_->propose();
      const auto left = static_cast<std::size_t>(limit_ - std::ssize(result_.evaluations));
      if (batch.size() > left) batch.resize(left);
      if (batch.empty()) {
        result_.stop = Stop::exhausted;
        break;
      }
      take(batch, evaluate(batch, result_.generations));
      ++result_.generations;
      if (observe) observe(result_);
    }
    return std::move(result_);
  }

 private:
  void take(std::span<const std::size_t> batch, std::vector<Outcome> outcomes) {
    const std::size_t first = result_.evaluations.size();
    for (std::size_t i = 0; i < batch.size(); ++i)
      result_.evaluations.push_back({.index = batch[i],
                                     .generation = result_.generations,
                                     .outcome = std::move(outcomes.at(i))});
    if (result_.baseline_us == 0) find_baseline();
    std::vector<Scored> scored;
    for (std::size_t i = first; i < result_.evaluations.size(); ++i) {
      Evaluation& each = result_.evaluations[i];
      each.fitness = fitness(each.outcome, result_.baseline_us, options_.weights);
      scored.push_back(scored_of(each));
      if (!each.outcome.eligible()) continue;
      if (result_.best && !better(scored.back(), scored_of(result_.evaluations[*result_.best])))
        continue;
      result_.best = i;
      improved_in_ = result_.generations;
    }
    strategy_->learn(scored);
  }

  static Scored scored_of(const Evaluation& each) {
    return {.index = each.index, .eligible = each.outcome.eligible(), .fitness = each.fitness};
  }

  /// The first evaluation is the start's, the next ones stand in for it where it failed.
  void find_baseline() {
    for (const Evaluation& each : result_.evaluations)
      if (each.outcome.eligible()) {
        result_.baseline_us = each.outcome.latency_us;
        return;
      }
  }

  bool stopped() {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started_;
    const auto best_us = [&] { return result_.evaluations[*result_.best].outcome.latency_us; };
    if (options_.target_us > 0 && result_.best && best_us() <= options_.target_us)
      result_.stop = Stop::target;
    else if (std::ssize(result_.evaluations) >= limit_)
      result_.stop = limit_ == size_            ? Stop::exhausted
                     : options_.evaluations > 0 ? Stop::evaluations
                                                : Stop::generations;
    else if (counts_generations() && result_.generations >= options_.generations)
      result_.stop = Stop::generations;
    else if (options_.patience > 0 && result_.generations - improved_in_ > options_.patience)
      result_.stop = Stop::patience;
    else if (options_.time_limit_s > 0 && elapsed.count() >= options_.time_limit_s)
      result_.stop = Stop::time;
    else
      return false;
    return true;
  }

  [[nodiscard]] bool counts_generations() const {
    return options_.strategy == StrategyKind::evolve && options_.evaluations == 0;
  }

  const SearchOptions& options_;
  long size_, limit_;
  std::unique_ptr<Strategy> strategy_;
  SearchResult result_;
  int improved_in_ = 0;  // the generation that did so last
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace

std::string_view name(Stop stop) {
  switch (stop) {
    case Stop::generations: return "generations";
    case Stop::evaluations: return "evaluations";
    case Stop::exhausted: return "exhausted";
    case Stop::target: return "target";
    case Stop::patience: return "patience";
    case Stop::time: return "time";
  }
  return "unknown";
}

std::size_t start_of(const Space& space, const SearchOptions& options) {
  if (!options.blind_start) return space.start();
  return Random(~options.seed).below(space.size());  // the strategy draws with the seed itself
}

long evaluation_limit(const Space& space, const SearchOptions& options) {
  const auto all = static_cast<long>(space.size());
  if (options.evaluations > 0) return std::min(options.evaluations, all);
  if (options.strategy == StrategyKind::exhaustive) return all;
  return std::min(static_cast<long>(options.population) * options.generations, all);
}

SearchResult search(const Space& space, const SearchOptions& options, const Evaluate& evaluate,
                    const Observe& observe) {
  check_options(options);
  return Searcher(space, options).run(evaluate, observe);
}

}  // namespace flashcore::tune
