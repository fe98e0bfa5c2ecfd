// Evolution: a population whose members are crossed and mutated.
#include <algorithm>
#include <cmath>

#include "tune/strategies.h"

namespace flashcore::tune {

namespace {

constexpr int corner_share = 4;    // of the first population one in so many is a corner
constexpr int tournament = 3;      // of so many drawn the best becomes a parent
constexpr double crossover = 0.7;  // of the children have two parents
constexpr double leap = 0.3;       // of the mutations go anywhere, the others to the next value

/// Where a second population would not be evaluated in full, half of the evaluations are for the
/// first one and half for its children: drawing alone learns nothing.
std::size_t first_population_size(const StrategyOptions& options) {
  const auto population = static_cast<std::size_t>(options.population);
  const auto evaluations = static_cast<std::size_t>(options.evaluations);
  return evaluations <= population ? population : std::min(population, evaluations / 2);
}

class Evolve final : public Strategy {
 public:
  Evolve(const Space& space, const StrategyOptions& options)
      : space_(space),
        untried_(space),
        random_(options.seed),
        start_(options.start),
        first_size_(first_population_size(options)),
        population_size_(static_cast<std::size_t>(options.population)),
        elite_size_(static_cast<std::size_t>(
            std::max(1.0, std::round(options.elite * options.population)))) {}

  std::vector<std::size_t> propose() override {
    return population_.empty() ? first_population() : children();
  }

  /// The elite stays; of the others the best so far make up the population that breeds.
  void learn(std::span<const Scored> results) override {
    population_.insert(population_.end(), results.begin(), results.end());
    std::stable_sort(population_.begin(), population_.end(), better);
    if (population_.size() > population_size_) population_.resize(population_size_);
  }

 private:
  /// The start, corners of the space, and the rest at random.
  std::vector<std::size_t> first_population() {
    std::vector<std::size_t> batch{untried_.take(start_)};
    const std::size_t corners = first_size_ / corner_share;
    while (batch.size() < first_size_ && !untried_.empty())
      batch.push_back(batch.size() <= corners ? untried_.take_nearest(corner(), random_)
                                              : untried_.take_random(random_));
    return batch;
  }

  Genes corner() {
    Genes genes;
    for (const Space::Axis& axis : space_.axes())
      genes.push_back(random_.chance(0.5) ? 0 : static_cast<int>(axis.values.size()) - 1);
    return genes;
  }

  std::vector<std::size_t> children() {
    std::vector<std::size_t> batch;
    const std::size_t count = population_size_ - std::min(elite_size_, population_size_ - 1);
    while (batch.size() < count && !untried_.empty())
      batch.push_back(untried_.take_nearest(child(), random_));
    return batch;
  }

  const Genes& parent() {
    std::size_t best = population_.size();
    for (int i = 0; i < tournament; ++i) best = std::min(best, random_.below(population_.size()));
    return space_.genes(population_[best].index);  // sorted: the first is the best
  }

  const Genes& elite_parent() {
    return space_.genes(
        population_[random_.below(std::min(elite_size_, population_.size()))].index);
  }

  Genes child() {
    Genes genes = random_.chance(0.5) ? elite_parent() : parent();
    if (random_.chance(crossover)) {
      const Genes& other = parent();
      for (std::size_t i = 0; i < genes.size(); ++i)
        if (random_.chance(0.5)) genes[i] = other[i];
    }
    mutate(genes);
    return genes;
  }

  /// One field on average.
  void mutate(Genes& genes) {
    for (std::size_t i = 0; i < genes.size(); ++i) {
      if (!random_.chance(1.0 / static_cast<double>(genes.size()))) continue;
      const auto count = space_.axes()[i].values.size();
      if (random_.chance(leap)) {
        genes[i] = static_cast<int>(random_.below(count));
      } else {
        const int step = random_.chance(0.5) ? 1 : -1;
        genes[i] = std::clamp(genes[i] + step, 0, static_cast<int>(count) - 1);
      }
    }
  }

  const Space& space_;
  Untried untried_;
  Random random_;
  std::size_t start_, first_size_, population_size_, elite_size_;
  std::vector<Scored> population_;  // best first
};

}  // namespace

std::unique_ptr<Strategy> make_evolve(const Space& space, const StrategyOptions& options) {
  return std::make_unique<Evolve>(space, options);
}

}  // namespace flashcore::tune
