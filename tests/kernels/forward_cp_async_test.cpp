#include <gtest/gtest.h>

#include <set>

#include "device/tile/ring.h"
#include "device/tile/row_lanes.h"
#include "forward_cp_async/config.h"
#include "forward_cp_async/layout.h"
#include "padding.h"

namespace flashcore::forward_cp_async {
namespace {

template <typename Visit>
void for_each_cp_async_config(Visit&& visit) {
  for (const int head_dim : {32, 64, 96, 128, 192, 256})
    for (const int block_q : {16, 32, 48, 64})
      for (const int keys : {16, 32, 48, 64})
        for (const int key_groups : {1, 2, 3, 4, 8})
          for (const int producer_warps : {0, 1, 4})
            for (const int stages : {2, 3, 4})
              visit(Config{.head_dim = head_dim,
                           .block_q = block_q,
                           .block_kv = keys * key_groups,
                           .key_groups = key_groups,
                           .producer_warps = producer_warps,
                           .stages = stages});
}

TEST(ForwardCpAsync, ConsumersTakeEveryRowAndKeyOfATileOnce) {
  for_each_cp_async_config([](const Config& config) {
    std::set<std::pair<int, int>> taken;  // (row, key), the first of each fragment
    for (int consumer = 0; consumer < consumer_warps(config); ++consumer)
      for (int key = 0; key < group_keys(config); key += edge)
        taken.emplace(row_tile_of(config, consumer) * edge,
                      key_group_of(config, consumer) * group_keys(config) + key);
    ASSERT_EQ(static_cast<int>(taken.size()), config.block_q / edge * (config.block_kv / edge));
    ASSERT_EQ(*taken.rbegin(), std::pair(config.block_q - edge, config.block_kv - edge));
  });
}

TEST(ForwardCpAsync, ARowsLanesTakeEveryKeyOfTheGroupOnce) {
  for_each_cp_async_config([](const Config& config) {
    std::set<int> keys;
    for (int lane = 0; lane < lanes_per_row; ++lane)
      for (int place = 0; place < keys_per_lane(config); ++place)
        keys.insert(lane_key(lane, place));
    ASSERT_EQ(static_cast<int>(keys.size()), group_keys(config));
    ASSERT_EQ(*keys.rbegin(), group_keys(config) - 1);
  });
}

TEST(ForwardCpAsync, RegionsOfSharedMemoryDoNotOverlapAndFragmentsAreAligned) {
  for_each_cp_async_config([](const Config& config) {
    const Layout map = layout(config);
    const int tiles = config.stages * config.block_kv * head_stride(config) * 2;
    const int group_rows = config.key_groups * config.block_q * 4;
    const std::vector<test::Region> kept{
        {"s_group_max", map.s_group_max, group_rows},
        {"s_group_sum", map.s_group_sum, group_rows},
        {"s_inverse_sum", map.s_inverse_sum, config.block_q * 4},
        {"s_row_factor", map.s_row_factor, consumer_warps(config) * edge * 4},
        {"s_q", map.s_q, config.block_q * head_stride(config) * 2}};
    auto during = kept;
    during.push_back(
        {"s_scores", map.s_scores, consumer_warps(config) * edge * group_stride(config) * 4});
    during.push_back({"s_k", map.s_k, tiles});
    during.push_back({"s_v", map.s_v, tiles});
    test::expect_disjoint(during, 32, map.total);
    auto after = kept;
    after.push_back(
        {"s_out", map.s_out, config.key_groups * config.block_q * head_stride(config) * 4});
    test::expect_disjoint(after, 32, map.total);
    const int barriers = specialised(config) ? config.stages * 8 : 0;
    ASSERT_GE(map.v_full, map.k_full + barriers);
    ASSERT_GE(map.empty, map.v_full + barriers);
    ASSERT_GE(map.s_group_max, map.empty + barriers);
  });
}

TEST(ForwardCpAsync, PaddedRowsAreReadWithoutBankConflicts) {
  for_each_cp_async_config([](const Config& config) {
    ASSERT_TRUE(test::conflict_free(head_stride(config) * 2, 8, 16));
    ASSERT_TRUE(test::conflict_free(group_stride(config) * 2, 8, 16));
    ASSERT_TRUE(test::conflict_free(group_stride(config) * 4, 4, 32));
  });
}

TEST(Ring, TheParityTurnsEachTimeTheStagesHaveBeenRoundOnce) {
  device::Ring<3> ring;
  for (int turn = 0; turn < 4; ++turn)
    for (int stage = 0; stage < 3; ++stage) {
      EXPECT_EQ(ring.stage, stage);
      EXPECT_EQ(ring.parity, turn % 2);
      ring.advance();
    }
}

TEST(RowLanes, ARowLiesInOneWarpAndItsLanesCoverIt) {
  for (int head_dim = 8; head_dim <= 256; head_dim += 8) {
    const auto share = device::row_lanes_for(head_dim);
    EXPECT_GE(share.lanes * device::vector_elements, head_dim);
    EXPECT_EQ(share.lanes * share.rows, 32);
  }
}

}  // namespace
}  // namespace flashcore::forward_cp_async
