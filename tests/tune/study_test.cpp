// The evolutionary search is held to its aim, on made-up landscapes and on what was recorded on a
// GPU.
#include "tune/study.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "landscape.h"

namespace flashcore::tune {
namespace {

constexpr int seeds = 50;
constexpr std::size_t fewest_passed = 200;  // of a recorded table: less is no space to search

/// The table's best within 1% at a quarter of an exhaustive search, and ahead of chance from a
/// tenth on until it has found the best itself: medians over the seeds.
void expect_efficient(const Replay& replay, const SearchOptions& options = {}) {
  std::map<std::pair<StrategyKind, double>, double> median;
  for (const StudyPoint& point : study(replay, options, seeds))
    median[{point.strategy, point.budget}] = point.median;
  EXPECT_LE(median.at({StrategyKind::evolve, 0.25}), 0.01);
  for (const double budget : study_budgets()) {
    if (budget < 0.1) continue;
    const double evolved = median.at({StrategyKind::evolve, budget});
    const double drawn = median.at({StrategyKind::random, budget});
    EXPECT_TRUE(evolved < drawn || evolved == 0) << budget << ": " << evolved << ", " << drawn;
  }
}

TEST(Study, EvolutionFindsTheBestOfAHillyLandscapeSoonerThanChance) {
  expect_efficient(Replay(test::table_of_space(test::hilly_space(), test::hilly)));
}

TEST(Study, SixInTenCrashingDoesNotStopIt) {
  expect_efficient(Replay(test::table_of_space(test::hilly_space(), test::mostly_crashing)));
}

/// A file of data/tables.
class RecordedTable : public ::testing::TestWithParam<const char*> {
 protected:
  const Replay replay_{
      read_table(std::filesystem::path(FLASHCORE_SOURCE_DIR) / "data" / "tables" / GetParam())};
};

TEST_P(RecordedTable, HasEnoughConfigsThatPassed) {
  const auto& rows = replay_.table().rows;
  EXPECT_GE(std::count_if(rows.begin(), rows.end(),
                          [](const Table::Row& row) { return row.outcome.eligible(); }),
            fewest_passed);
}

TEST_P(RecordedTable, EvolutionFindsTheBestSoonerThanChance) {
  expect_efficient(replay_);
}

TEST_P(RecordedTable, SoItDoesWithoutTheFamilysOwnStart) {
  SearchOptions blind;
  blind.blind_start = true;
  expect_efficient(replay_, blind);
}

INSTANTIATE_TEST_SUITE_P(H100, RecordedTable,
                         ::testing::Values("forward_mma_h100_mission.jsonl",
                                           "forward_mma_h100_causal.jsonl"),
                         [](const auto& table) {
                           return std::string(table.index == 0 ? "Mission" : "Causal");
                         });

TEST(Study, ABlindStartTakesTheKnowledgeOfTheDefaultAway) {
  // One Config is fast, the one that the family takes by itself: what is known is found at once.
  const Space all = test::hilly_space();
  std::vector<family::ConfigFields> some;
  for (std::size_t i = 0; i < all.size(); i += 10) some.push_back(all.config(i));
  const Space space(some, all.config(all.start()));
  const Replay replay(test::table_of_space(space, [&](const family::ConfigFields& config) {
    return test::timed(config == space.config(space.start()) ? 1 : 2);
  }));
  const auto least_budget_of = [&](bool blind) {
    SearchOptions options;
    options.blind_start = blind;
    return study(replay, options, seeds).front().median;
  };
  EXPECT_EQ(least_budget_of(false), 0);
  EXPECT_EQ(least_budget_of(true), 1)
      << "twice as slow: a twentieth of the space does not find one Config";
}

}  // namespace
}  // namespace flashcore::tune
