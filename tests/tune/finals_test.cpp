#include "tune/finals.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "landscape.h"

namespace flashcore::tune {
namespace {

/// Of three rounds, in which the GPU slows down by a tenth each; `bias` makes each second turn
/// that much slower than the first.
Finalist finalist(double us, double bias, bool is_start = false) {
  Finalist result{
      .config = fmt::format("a={}", us), .max_error = 0, .is_start = is_start, .record = {}};
  result.record.timing = gate::Timing{.cold = {.median = us}, .warm = {}, .eager = {}};
  for (const double slow : {1.0, 1.1, 1.2}) {
    result.record.cold_turns.first.push_back(us * slow * (1 - bias / 2));
    result.record.cold_turns.again.push_back(us * slow * (1 + bias / 2));
  }
  result.record.gates["correctness"] = {gate::Verdict::pass, "", {}};
  return result;
}

Finals decided(std::vector<Finalist> finalists) {
  Finals finals{.finalists = std::move(finalists), .winner = {}, .reason = {}};
  decide(finals, {});
  return finals;
}

TEST(Finals, TheFastestWinsWhereItsLeadIsMoreThanTheNoise) {
  const Finals finals = decided({finalist(9, 0.02), finalist(8, 0.02), finalist(10, 0, true)});
  EXPECT_EQ(finals.winner, 1U);
  EXPECT_EQ(finals.reason, "25.0% faster than the default, the noise is 2.0%");
}

TEST(Finals, WhatTheGpuDoesToBothInARoundIsNoNoise) {
  EXPECT_EQ(decided({finalist(9.8, 0), finalist(10, 0, true)}).winner, 0U);
  EXPECT_EQ(decided({finalist(9.8, 0.05), finalist(10, 0.05, true)}).winner, 0U);
}

TEST(Finals, ATieKeepsTheDefault) {
  EXPECT_EQ(decided({finalist(9.9, 0.02), finalist(10, 0, true)}).winner, 1U);
  EXPECT_EQ(decided({finalist(9.9, 0.001), finalist(10, 0, true)}).winner, 0U);
  EXPECT_EQ(decided({finalist(9.96, 0), finalist(10, 0, true)}).winner, 1U) << "less than 0.5%";
  EXPECT_EQ(decided({finalist(11, 0), finalist(10, 0, true)}).winner, 1U);
}

TEST(Finals, ANoisyLeaderGivesWayToAFirmOne) {
  EXPECT_EQ(decided({finalist(8, 0.3), finalist(9, 0.01), finalist(10, 0, true)}).winner, 1U);
}

TEST(Finals, WhoFailsAGateHereDoesNotWin) {
  Finalist broken = finalist(5, 0);
  broken.record.gates["stability"] = gate::broken("the worker crashed");
  Finalist untimed = finalist(5, 0);
  untimed.record.timing.reset();
  EXPECT_EQ(decided({broken, untimed, finalist(10, 0, true)}).winner, 2U);
  EXPECT_FALSE(decided({broken, untimed}).winner);
  EXPECT_FALSE(decided({}).winner);
}

TEST(Finals, WhereTheDefaultFailsTheBestOfTheOthersWins) {
  Finalist start = finalist(1, 0, true);
  start.record.gates["correctness"] = gate::broken("wrong");
  const Finals finals = decided({finalist(9, 0.5), finalist(8, 0.5), start});
  EXPECT_EQ(finals.winner, 1U);
  EXPECT_EQ(finals.reason, "the default does not pass its gates");
}

/// Who was gated, in turns; `failing` says which of them fail.
std::vector<std::vector<std::size_t>> gated_in(Finals& finals,
                                               const std::set<std::size_t>& failing) {
  std::vector<std::vector<std::size_t>> turns;
  decide_gated(finals, {}, [&](Finals& all, std::span<const std::size_t> which) {
    turns.emplace_back(which.begin(), which.end());
    for (const std::size_t i : which)
      all.finalists[i].record.gates["stability"] =
          failing.contains(i) ? gate::broken("wrong")
                              : gate::GateResult{gate::Verdict::pass, "", {}};
  });
  return turns;
}

TEST(Finals, OnlyTheStartAndWhoLeadsAreGated) {
  using Turns = std::vector<std::vector<std::size_t>>;
  const auto four = [] {
    return Finals{
        .finalists = {finalist(9, 0), finalist(7, 0), finalist(8, 0), finalist(10, 0, true)},
        .winner = {},
        .reason = {}};
  };
  Finals sound = four();
  EXPECT_EQ(gated_in(sound, {}), (Turns{{1, 3}}));
  EXPECT_EQ(sound.winner, 1U);

  Finals leader_fails = four();
  EXPECT_EQ(gated_in(leader_fails, {1, 2}), (Turns{{1, 3}, {2}, {0}}));
  EXPECT_EQ(leader_fails.winner, 0U);

  Finals start_fails = four();
  EXPECT_EQ(gated_in(start_fails, {3}), (Turns{{1, 3}}));
  EXPECT_EQ(start_fails.winner, 1U);
  EXPECT_EQ(start_fails.reason, "the default does not pass its gates");

  Finals all_fail = four();
  EXPECT_EQ(gated_in(all_fail, {0, 1, 2, 3}), (Turns{{1, 3}, {2}, {0}}));
  EXPECT_FALSE(all_fail.winner);

  Finals start_leads{
      .finalists = {finalist(11, 0), finalist(10, 0, true)}, .winner = {}, .reason = {}};
  EXPECT_EQ(gated_in(start_leads, {}), (Turns{{1}}));
  EXPECT_EQ(start_leads.winner, 1U);
}

TEST(Finals, FinalistsAreTheFittestWithinTheNoiseAndTheStart) {
  const Space space = test::hilly_space();
  SearchResult result;
  for (const double us : {10.0, 5.0, 5.05, 5.5, 4.0})
    result.evaluations.push_back(
        {.index = result.evaluations.size(), .outcome = test::timed(us), .fitness = 10 / us});
  result.evaluations[4].outcome.cause = Cause::incorrect;
  result.best = 1;
  EXPECT_EQ(choose_finalists(result), (std::vector<std::size_t>{1, 2, 0}));
  result.evaluations[3].outcome.noise = 0.2;
  EXPECT_EQ(choose_finalists(result), (std::vector<std::size_t>{1, 2, 3, 0}));
  EXPECT_EQ(choose_finalists(result, 1), (std::vector<std::size_t>{1, 0}));
  result.evaluations[0].outcome = test::crashed();
  EXPECT_EQ(choose_finalists(result, 1), (std::vector<std::size_t>{1}));
  result.best.reset();
  EXPECT_TRUE(choose_finalists(result).empty());
}

TEST(Finals, WhereTheStartIsBestItRunsAlone) {
  SearchResult result;
  result.evaluations.push_back({.index = 0, .outcome = test::timed(5), .fitness = 1});
  result.evaluations.push_back({.index = 1, .outcome = test::timed(50), .fitness = 0.1});
  result.best = 0;
  EXPECT_EQ(choose_finalists(result), (std::vector<std::size_t>{0}));
}

}  // namespace
}  // namespace flashcore::tune
