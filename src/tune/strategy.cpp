#include "tune/strategy.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/error.h"
#include "tune/strategies.h"

namespace flashcore::tune {

namespace {

constexpr std::array strategy_names{
    std::pair{StrategyKind::evolve, "evolve"}, std::pair{StrategyKind::random, "random"},
    std::pair{StrategyKind::exhaustive, "exhaustive"}, std::pair{StrategyKind::anneal, "anneal"}};

/// Draws without looking at what came of it: the yardstick for those that do.
class RandomSearch final : public Strategy {
 public:
  RandomSearch(const Space& space, const StrategyOptions& options)
      : untried_(space),
        random_(options.seed),
        start_(options.start),
        batch_(static_cast<std::size_t>(options.population)) {}

  std::vector<std::size_t> propose() override {
    std::vector<std::size_t> batch;
    if (untried_.has(start_)) batch.push_back(untried_.take(start_));
    while (batch.size() < batch_ && !untried_.empty())
      batch.push_back(untried_.take_random(random_));
    return batch;
  }
  void learn(std::span<const Scored> /*results*/) override {}

 private:
  Untried untried_;
  Random random_;
  std::size_t start_, batch_;
};

/// Everything: the start, then the others in the family's order.
class Exhaustive final : public Strategy {
 public:
  Exhaustive(const Space& space, const StrategyOptions& options)
      : count_(space.size()),
        start_(options.start),
        batch_(static_cast<std::size_t>(options.population)) {}

  std::vector<std::size_t> propose() override {
    std::vector<std::size_t> batch;
    if (next_ == 0) batch.push_back(start_);
    for (; batch.size() < batch_ && next_ < count_; ++next_)
      if (next_ != start_) batch.push_back(next_);
    return batch;
  }
  void learn(std::span<const Scored> /*results*/) override {}

 private:
  std::size_t count_, start_, batch_;
  std::size_t next_ = 0;
};

}  // namespace

std::string_view name(StrategyKind kind) {
  return strategy_names[static_cast<std::size_t>(kind)].second;
}

StrategyKind strategy_from_name(std::string_view text) {
  for (const auto& [kind, known] : strategy_names)
    if (text == known) return kind;
  core::fail(core::Status::invalid_argument,
             "strategy: '{}' is none of evolve, random, exhaustive, anneal", text);
}

bool better(const Scored& a, const Scored& b) {
  if (a.eligible != b.eligible) return a.eligible;
  return a.fitness > b.fitness;
}

std::unique_ptr<Strategy> make_strategy(const Space& space, const StrategyOptions& options) {
  switch (options.kind) {
    case StrategyKind::evolve: return make_evolve(space, options);
    case StrategyKind::random: return std::make_unique<RandomSearch>(space, options);
    case StrategyKind::exhaustive: return std::make_unique<Exhaustive>(space, options);
    case StrategyKind::anneal: return make_anneal(space, options);
  }
  core::fail(core::Status::internal, "strategy: {} is none", static_cast<int>(options.kind));
}

}  // namespace flashcore::tune
