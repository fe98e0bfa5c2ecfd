// Simulated annealing, several walkers side by side so that a batch can be compiled in parallel.
#include <algorithm>
#include <cmath>

#include "tune/strategies.h"

namespace flashcore::tune {

namespace {

constexpr int candidates_for_each_walker = 6;  // of a population
constexpr double first_temperature = 0.3;      // in units of fitness: the baseline's speed is 1
constexpr double last_temperature = 0.005;

class Anneal final : public Strategy {
 public:
  Anneal(const Space& space, const StrategyOptions& options)
      : space_(space),
        untried_(space),
        random_(options.seed),
        start_(options.start),
        budget_(static_cast<double>(std::max(options.evaluations, 1L))),
        walkers_(static_cast<std::size_t>(
            std::max(1, options.population / candidates_for_each_walker))) {}

  /// One step of each walker: at first to a place of its own, then to the nearest untried one a
  /// step away.
  std::vector<std::size_t> propose() override {
    std::vector<std::size_t> batch;
    for (std::size_t walker = 0; walker < walkers_.size() && !untried_.empty(); ++walker) {
      if (started_)
        batch.push_back(untried_.take_nearest(neighbour(walkers_[walker]), random_));
      else
        batch.push_back(walker == 0 ? untried_.take(start_) : untried_.take_random(random_));
    }
    return batch;
  }

  void learn(std::span<const Scored> results) override {
    for (std::size_t walker = 0; walker < results.size(); ++walker)
      if (!started_ || accepts(walkers_[walker], results[walker]))
        walkers_[walker] = results[walker];
    started_ = true;
    tried_ += static_cast<double>(results.size());
  }

 private:
  [[nodiscard]] double temperature() const {
    const double progress = std::min(1.0, tried_ / budget_);
    return first_temperature * std::pow(last_temperature / first_temperature, progress);
  }

  bool accepts(const Scored& current, const Scored& next) {
    if (better(next, current)) return true;
    if (current.eligible && !next.eligible) return false;
    return random_.chance(std::exp((next.fitness - current.fitness) / temperature()));
  }

  Genes neighbour(const Scored& from) {
    Genes genes = space_.genes(from.index);
    if (genes.empty()) return genes;
    const std::size_t axis = random_.below(genes.size());
    const auto last = static_cast<int>(space_.axes()[axis].values.size()) - 1;
    const int step = random_.chance(0.5) ? 1 : -1;
    genes[axis] = genes[axis] + step < 0 || genes[axis] + step > last ? genes[axis] - step
                                                                      : genes[axis] + step;
    return genes;
  }

  const Space& space_;
  Untried untried_;
  Random random_;
  std::size_t start_;
  double budget_, tried_ = 0;
  std::vector<Scored> walkers_;  // where each stands
  bool started_ = false;
};

}  // namespace

std::unique_ptr<Strategy> make_anneal(const Space& space, const StrategyOptions& options) {
  return std::make_unique<Anneal>(space, options);
}

}  // namespace flashcore::tune
