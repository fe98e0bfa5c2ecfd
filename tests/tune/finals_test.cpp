#include "tune/finals.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "landscape.h"

namespace flashcore::tune {
namespace {

Finalist finalist(double us, double noise, bool is_start = false) {
  Finalist result{
      .config = fmt::format("a={}", us), .max_error = 0, .is_start = is_start, .record = {}};
  result.record.timing = gate::Timing{.cold = {.median = us}, .warm = {}, .eager = {}};
  result.record.noise = noise;
  result.record.gates["correctness"] = {gate::Verdict::pass, "", {}};
  return result;
}

Finals decided(std::vector<Finalist> finalists) {
  Finals finals{.finalists = std::move(finalists), .winner = {}, .reason = {}};
  decide(finals, {});
  return finals;
}

TEST(Finals, TheFastestWinsWhereItsLeadIsMoreThanTheNoise) {
  const Finals finals = decided({finalist(9, 0.01), finalist(8, 0.01), finalist(10, 0.01, true)});
  EXPECT_EQ(finals.winner, 1U);
  EXPECT_EQ(finals.reason, "25.0% faster than the default, the noise is 2.0%");
}

TEST(Finals, ATieKeepsTheDefault) {
  EXPECT_EQ(decided({finalist(9.9, 0.01), finalist(10, 0.01, true)}).winner, 1U);
  EXPECT_EQ(decided({finalist(9.9, 0.001), finalist(10, 0.001, true)}).winner, 0U);
  EXPECT_EQ(decided({finalist(11, 0), finalist(10, 0, true)}).winner, 1U);
}

TEST(Finals, ANoisyLeaderGivesWayToAFirmOne) {
  EXPECT_EQ(decided({finalist(8, 0.3), finalist(9, 0.01), finalist(10, 0.01, true)}).winner, 1U);
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
