// Searches on made-up landscapes: what is found, what is never done, and that a seed repeats it.
#include "tune/search.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "gate/statistics.h"
#include "landscape.h"
#include "support/message_of.h"

namespace flashcore::tune {
namespace {

using flashcore::test::message_of;
using test::each;
using test::hilly_space;

constexpr std::array all_strategies{StrategyKind::evolve, StrategyKind::random,
                                    StrategyKind::exhaustive, StrategyKind::anneal};

std::vector<std::size_t> order_of(const SearchResult& result) {
  std::vector<std::size_t> order;
  for (const Evaluation& each : result.evaluations) order.push_back(each.index);
  return order;
}

double best_us(const SearchResult& result) {
  return result.evaluations.at(result.best.value()).outcome.latency_us;
}

TEST(Search, NoStrategyEvaluatesAConfigTwiceAndAllBeginAtTheStart) {
  const Space space = hilly_space();
  for (const StrategyKind strategy : all_strategies) {
    SearchOptions options;
    options.strategy = strategy;
    options.evaluations = static_cast<long>(space.size()) + 100;
    const SearchResult result = search(space, options, each(space, test::mostly_crashing));
    const auto order = order_of(result);
    EXPECT_EQ(order.front(), space.start()) << name(strategy);
    EXPECT_EQ(std::set<std::size_t>(order.begin(), order.end()).size(), order.size())
        << name(strategy);
    EXPECT_EQ(order.size(), space.size()) << name(strategy);
    EXPECT_EQ(result.stop, Stop::exhausted) << name(strategy);
  }
}

TEST(Search, ASeedRepeatsEveryStrategyAndAnotherSeedDoesNot) {
  const Space space = hilly_space();
  for (const StrategyKind strategy : all_strategies) {
    SearchOptions options;
    options.strategy = strategy;
    options.evaluations = 150;
    options.seed = 7;
    const auto run = [&] { return order_of(search(space, options, each(space, test::hilly))); };
    const auto first = run();
    EXPECT_EQ(run(), first) << name(strategy);
    options.seed = 8;
    if (strategy == StrategyKind::exhaustive)
      EXPECT_EQ(run(), first);
    else
      EXPECT_NE(run(), first) << name(strategy);
  }
}

TEST(Search, AnEvolutionHasTenGenerationsOf24OfWhichTwoAreKept) {
  const Space space = hilly_space();
  const SearchResult result = search(space, {}, each(space, test::hilly));
  EXPECT_EQ(result.stop, Stop::generations);
  EXPECT_EQ(result.generations, 10);
  EXPECT_EQ(result.evaluations.size(), 24U + 9 * 22);
}

TEST(Search, TheFirstPopulationReachesTheCornersOfTheSpace) {
  const Space space = hilly_space();
  SearchOptions options;
  options.generations = 1;
  const SearchResult result = search(space, options, each(space, test::hilly));
  const auto is_corner = [&](const Evaluation& each) {
    const Genes& genes = space.genes(each.index);
    for (std::size_t i = 0; i < genes.size(); ++i)
      if (genes[i] != 0 && genes[i] != static_cast<int>(space.axes()[i].values.size()) - 1)
        return false;
    return true;
  };
  const auto corners =
      std::count_if(result.evaluations.begin(), result.evaluations.end(), is_corner);
  EXPECT_GE(corners, 4) << "of 6; some combinations are not valid and their neighbours are taken";
}

TEST(Search, ABlindStartIsDrawnByTheSeedAndIsTheSameForEveryStrategy) {
  const Space space = hilly_space();
  SearchOptions options;
  options.blind_start = true;
  std::set<std::size_t> starts;
  for (options.seed = 1; options.seed <= 50; ++options.seed) {
    const std::size_t start = start_of(space, options);
    EXPECT_EQ(start_of(space, options), start);
    starts.insert(start);
    for (const StrategyKind strategy : all_strategies) {
      options.strategy = strategy;
      EXPECT_EQ(search(space, options, each(space, test::hilly)).evaluations.front().index, start)
          << name(strategy) << ", seed " << options.seed;
    }
  }
  EXPECT_GE(starts.size(), 45U) << "of 50 drawn from 1200";
  EXPECT_FALSE(starts.contains(space.start())) << "which is one of 1200";
}

TEST(Search, ABlindStartIsTheBaselineAndWhereItFailsTheFirstThatPasses) {
  const Space space = hilly_space();
  SearchOptions options;
  options.blind_start = true;
  const SearchResult sound = search(space, options, each(space, test::hilly));
  EXPECT_EQ(sound.baseline_us, test::hilly_us(space.config(start_of(space, options))));
  EXPECT_DOUBLE_EQ(sound.evaluations.front().fitness, 1.0);
  const auto start = space.config(start_of(space, options));
  const SearchResult broken =
      search(space, options, each(space, [&](const family::ConfigFields& config) {
               return config == start ? test::crashed() : test::hilly(config);
             }));
  EXPECT_EQ(broken.baseline_us, broken.evaluations[1].outcome.latency_us);
}

TEST(Search, FewEvaluationsAreHalfForAFirstPopulationAndHalfForItsChildren) {
  const Space space = hilly_space();
  const auto generations_of = [&](long evaluations) {
    SearchOptions options;
    options.evaluations = evaluations;
    std::map<int, long> sizes;
    for (const Evaluation& each : search(space, options, each(space, test::hilly)).evaluations)
      ++sizes[each.generation];
    return sizes;
  };
  using Sizes = std::map<int, long>;
  EXPECT_EQ(generations_of(24), (Sizes{{0, 24}})) << "no more than a population: nothing is bred";
  EXPECT_EQ(generations_of(32), (Sizes{{0, 16}, {1, 16}}));
  EXPECT_EQ(generations_of(48), (Sizes{{0, 24}, {1, 22}, {2, 2}}));
}

TEST(Search, WhatFailsAGateNeverWinsHoweverFast) {
  const Space space = hilly_space();
  const auto cheating = [](const family::ConfigFields& config) {
    if (test::chance_of(config, 3) > 0.5) return test::hilly(config);
    return Outcome{.cause = Cause::incorrect, .latency_us = 0.001};
  };
  for (const StrategyKind strategy : all_strategies) {
    SearchOptions options;
    options.strategy = strategy;
    options.weights.failed_gate = 0;  // even where that is not punished
    const SearchResult result = search(space, options, each(space, cheating));
    EXPECT_EQ(result.evaluations.at(result.best.value()).outcome.cause, Cause::none);
  }
}

TEST(Search, NothingThatPassesLeavesNoWinner) {
  const Space space = hilly_space();
  const SearchResult result =
      search(space, {}, each(space, [](const auto&) { return test::crashed(); }));
  EXPECT_FALSE(result.best);
  EXPECT_EQ(result.baseline_us, 0);
  EXPECT_EQ(result.generations, 10);
}

TEST(Search, UnderHeavyNoiseTheWinnerIsStillNearTheBest) {
  const Space space = hilly_space();
  double best = 1e9;
  for (std::size_t i = 0; i < space.size(); ++i)
    best = std::min(best, test::hilly_us(space.config(i)));
  std::vector<double> excesses;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto noisy = [&](const family::ConfigFields& config) {
      return test::timed(test::hilly_us(config) *
                         (0.8 + 0.4 * test::chance_of(config, 100 + seed)));
    };
    SearchOptions options;
    options.seed = seed;
    const SearchResult result = search(space, options, each(space, noisy));
    excesses.push_back(test::hilly_us(space.config(result.evaluations[*result.best].index)) / best -
                       1);
  }
  EXPECT_LE(gate::median(excesses), 0.2) << "no further off than the noise";
}

TEST(Search, OnAFlatLandscapeTheStartStays) {
  const Space space = hilly_space();
  for (const StrategyKind strategy : all_strategies) {
    SearchOptions options;
    options.strategy = strategy;
    const SearchResult result =
        search(space, options, each(space, [](const auto&) { return test::timed(10); }));
    EXPECT_EQ(result.evaluations.at(result.best.value()).index, space.start()) << name(strategy);
    EXPECT_EQ(result.baseline_us, 10);
  }
}

TEST(Search, TheBaselineIsTheStartsTimeAndWhereItFailsTheFirstThatPasses) {
  const Space space = hilly_space();
  const SearchResult sound = search(space, {}, each(space, test::hilly));
  EXPECT_EQ(sound.baseline_us, test::hilly_us(space.config(space.start())));
  const SearchResult broken =
      search(space, {}, each(space, [&](const family::ConfigFields& config) {
               return config == space.config(space.start()) ? test::crashed() : test::hilly(config);
             }));
  EXPECT_EQ(broken.baseline_us, broken.evaluations[1].outcome.latency_us);
  EXPECT_DOUBLE_EQ(broken.evaluations[1].fitness, 1.0);
}

TEST(Search, StopsEarlyForEachReason) {
  const Space space = hilly_space();
  SearchOptions target;
  target.target_us = 1.05 * best_us(search(space, {}, each(space, test::hilly)));
  const SearchResult fast = search(space, target, each(space, test::hilly));
  EXPECT_EQ(fast.stop, Stop::target);
  EXPECT_LT(fast.generations, 10);

  SearchOptions budget;
  budget.evaluations = 30;
  const SearchResult cut = search(space, budget, each(space, test::hilly));
  EXPECT_EQ(cut.stop, Stop::evaluations);
  EXPECT_EQ(cut.evaluations.size(), 30U);

  SearchOptions patience;
  patience.patience = 2;
  const SearchResult flat =
      search(space, patience, each(space, [](const auto&) { return test::timed(10); }));
  EXPECT_EQ(flat.stop, Stop::patience);
  EXPECT_EQ(flat.generations, 3);

  SearchOptions time;
  time.time_limit_s = 1e-9;
  EXPECT_EQ(search(space, time, each(space, test::hilly)).stop, Stop::time);
}

TEST(Search, TheObserverIsToldAfterEveryGeneration) {
  const Space space = hilly_space();
  std::vector<std::size_t> tried;
  search(space, {}, each(space, test::hilly),
         [&](const SearchResult& so_far) { tried.push_back(so_far.evaluations.size()); });
  ASSERT_EQ(tried.size(), 10U);
  EXPECT_EQ(tried[0], 24U);
  EXPECT_EQ(tried[1], 46U);
}

TEST(Search, OptionsThatMakeNoSearchAreRefused) {
  const Space space = hilly_space();
  const auto message = [&](auto change) {
    SearchOptions options;
    change(options);
    return message_of([&] { search(space, options, each(space, test::hilly)); });
  };
  EXPECT_EQ(message([](auto& o) { o.population = 0; }), "population: 0 is not at least 1");
  EXPECT_EQ(message([](auto& o) { o.generations = 0; }), "generations: 0 is not at least 1");
  EXPECT_EQ(message([](auto& o) { o.elite = 1; }), "elite: 1 is not in [0, 1)");
  EXPECT_EQ(message([](auto& o) { o.weights.error_unit = 0; }), "error_unit: 0 is not above 0");
  EXPECT_EQ(message_of([] { strategy_from_name("luck"); }),
            "strategy: 'luck' is none of evolve, random, exhaustive, anneal");
}

TEST(Search, SpacesOfOneAndPopulationsOfOneWork) {
  const auto only = test::config_of(16, 16, 1, 1, 1);
  const Space space({only}, only);
  for (const StrategyKind strategy : all_strategies) {
    SearchOptions options;
    options.strategy = strategy;
    options.population = 1;
    const SearchResult result = search(space, options, each(space, test::hilly));
    EXPECT_EQ(result.evaluations.size(), 1U) << name(strategy);
    EXPECT_EQ(result.stop, Stop::exhausted) << name(strategy);
  }
}

}  // namespace
}  // namespace flashcore::tune
