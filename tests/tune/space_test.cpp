#include "tune/space.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "family/family.h"
#include "landscape.h"
#include "support/message_of.h"

namespace flashcore::tune {
namespace {

using family::ConfigFields;
using flashcore::test::message_of;
using test::config_of;

std::vector<ConfigFields> square() {
  std::vector<ConfigFields> configs;
  for (const int block_q : {16, 64, 32})
    for (const int block_kv : {16, 32}) configs.push_back(config_of(block_q, block_kv, 1, 1, 1));
  return configs;
}

TEST(Space, AxesAreTheFieldsThatDifferWithTheirValuesInOrder) {
  const Space space(square(), square().front());
  ASSERT_EQ(space.axes().size(), 2U);
  EXPECT_EQ(space.axes()[0].field, "block_q");
  EXPECT_EQ(space.axes()[0].values, (std::vector<std::int64_t>{16, 32, 64}));
  EXPECT_EQ(space.axes()[1].field, "block_kv");
  EXPECT_EQ(space.genes(*space.find(config_of(64, 32, 1, 1, 1))), (Genes{2, 1}));
}

TEST(Space, HoldsEachConfigOnceAndItsStartAlways) {
  std::vector<ConfigFields> configs = square();
  configs.push_back(configs.front());
  const Space space(configs, config_of(128, 16, 1, 1, 1));
  EXPECT_EQ(space.size(), 7U);
  EXPECT_EQ(space.config(space.start()), config_of(128, 16, 1, 1, 1));
  EXPECT_FALSE(space.find(config_of(128, 32, 1, 1, 1)));
}

TEST(Space, ConfigsOfOtherFieldsAreRefused) {
  EXPECT_EQ(message_of([] { Space(square(), ConfigFields::parse("block_q=16")); }),
            "config: unknown field head_dim; the fields are block_q=16");
}

TEST(Space, EveryFamilyHasOneWithItsDefaultInIt) {
  const auto problem = core::contiguous_problem(core::Dtype::float16, 1, 8, -1, 512, -1, 64);
  for (const family::Family* family : family::all_families()) {
    const core::GpuLimits gpu = core::limits_of(family->archs().back());
    const Space space(family->space(problem, gpu), family->default_config(problem, gpu));
    EXPECT_GE(space.axes().size(), 2U) << family->name();
    EXPECT_EQ(space.size(), family->space(problem, gpu).size()) << family->name();
  }
}

TEST(Space, TheStartingPointsTilesAreInTheLaddersSpaces) {
  const auto problem = core::contiguous_problem(core::Dtype::float16, 1, 8, -1, 512, -1, 64);
  const core::GpuLimits gpu = core::limits_of({9, 0, true});
  struct Tile {
    int block_q, block_kv, stages;
  };
  for (const char* name : {"forward_wmma", "forward_cp_async"})
    for (const Tile tile : {Tile{32, 48, 2}, Tile{48, 32, 2}, Tile{48, 64, 3}, Tile{64, 48, 3}}) {
      const auto space = family::find_family(name)->space(problem, gpu);
      EXPECT_TRUE(std::any_of(space.begin(), space.end(),
                              [&](const ConfigFields& config) {
                                return config.at("block_q") == tile.block_q &&
                                       config.at("block_kv") == tile.block_kv &&
                                       config.at("stages") == tile.stages;
                              }))
          << name << ' ' << tile.block_q << " x " << tile.block_kv;
    }
}

TEST(Untried, GivesEachConfigOnceTheNearestFirst) {
  const Space space(square(), square().front());
  Untried untried(space);
  Random random(1);
  const std::size_t corner = *space.find(config_of(64, 32, 1, 1, 1));
  EXPECT_EQ(untried.take_nearest({2, 1}, random), corner);
  EXPECT_EQ(untried.take_nearest({2, 1}, random), *space.find(config_of(32, 32, 1, 1, 1)));
  std::vector<bool> seen(space.size());
  while (!untried.empty()) {
    const std::size_t index = untried.take_random(random);
    EXPECT_FALSE(seen[index]);
    seen[index] = true;
  }
  EXPECT_FALSE(seen[corner]);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), true), 4);
  EXPECT_THROW(untried.take(corner), core::Error);
}

}  // namespace
}  // namespace flashcore::tune
