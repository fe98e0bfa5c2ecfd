#include <gtest/gtest.h>

#include <set>

#include "forward_wmma/config.h"
#include "forward_wmma/layout.h"
#include "padding.h"

namespace flashcore::forward_wmma {
namespace {

template <typename Visit>
void for_each_wmma_config(Visit&& visit) {
  for (const int head_dim : {32, 64, 96, 128, 192, 256})
    for (const int block_q : {16, 32, 48, 64})
      for (const int block_kv : {16, 32, 48, 64, 128})
        for (const int warps : {4, 8, 12, 16})
          for (const int stages : {1, 2, 3})
            visit(Config{.head_dim = head_dim,
                         .block_q = block_q,
                         .block_kv = block_kv,
                         .warps = warps,
                         .stages = stages});
}

TEST(ForwardWmma, TheSoftmaxsLanesTakeEveryKeyOfTheTileOnce) {
  for_each_wmma_config([](const Config& config) {
    std::set<int> keys;
    for (int lane = 0; lane < row_lanes(config); ++lane)
      for (int place = 0; place < keys_per_lane(config); ++place)
        keys.insert(lane_key(config, lane, place));
    ASSERT_EQ(static_cast<int>(keys.size()), config.block_kv);
    ASSERT_EQ(*keys.rbegin(), config.block_kv - 1);
  });
}

TEST(ForwardWmma, WarpsHaveRowsAltogetherOrNotAtAll) {
  for_each_wmma_config([](const Config& config) {
    ASSERT_LE(row_lanes(config) * config.block_q, threads(config));
    ASSERT_EQ(row_lanes(config) * config.block_q % 32, 0);
    ASSERT_EQ(32 % row_lanes(config), 0) << "a row would lie in two warps";
    ASSERT_EQ(keys_per_lane(config) % 4, 0);
  });
}

TEST(ForwardWmma, TheWarpsFragmentsCoverTheOutputOnce) {
  for_each_wmma_config([](const Config& config) {
    std::set<std::pair<int, int>> places;
    for (int warp = 0; warp < config.warps; ++warp)
      for (int place = 0; place < out_fragments_per_warp(config); ++place) {
        const int number = place * config.warps + warp;
        if (number >= out_fragments(config)) continue;
        const auto [row, column] = fragment_place(config, number);
        ASSERT_LE(row + edge, config.block_q);
        ASSERT_LE(column + edge, config.head_dim);
        places.emplace(row, column);
      }
    ASSERT_EQ(static_cast<int>(places.size()), out_fragments(config));
  });
}

TEST(ForwardWmma, VectorsOfTheLanesCoverHeadDim) {
  for_each_wmma_config([](const Config& config) {
    ASSERT_GE(vectors_per_lane(config) * row_lanes(config) * vector, config.head_dim);
    ASSERT_GE(vectors_per_thread(config) * threads(config) * vector,
              config.block_kv * config.head_dim);
  });
}

TEST(ForwardWmma, RegionsOfSharedMemoryDoNotOverlapAndFragmentsAreAligned) {
  for_each_wmma_config([](const Config& config) {
    const Layout map = layout(config);
    const int tiles = config.stages * config.block_kv * head_stride(config) * 2;
    test::expect_disjoint({{"s_row_factor", map.s_row_factor, config.block_q * 4},
                           {"s_q", map.s_q, config.block_q * head_stride(config) * 2},
                           {"s_k", map.s_k, tiles},
                           {"s_v", map.s_v, tiles},
                           {"s_scores", map.s_scores, config.block_q * key_stride(config) * 4},
                           {"s_probs", map.s_probs, config.block_q * key_stride(config) * 2}},
                          32, map.total);
    test::expect_disjoint({{"s_row_factor", map.s_row_factor, config.block_q * 4},
                           {"s_out", map.s_out, config.block_q * head_stride(config) * 4}},
                          32, map.total);
  });
}

TEST(ForwardWmma, PaddedRowsAreReadWithoutBankConflicts) {
  for_each_wmma_config([](const Config& config) {
    ASSERT_TRUE(test::conflict_free(head_stride(config) * 2, 8, 16));
    ASSERT_TRUE(test::conflict_free(key_stride(config) * 2, 8, 16));
    ASSERT_TRUE(test::conflict_free(key_stride(config) * 4, 4, 32));
  });
}

}  // namespace
}  // namespace flashcore::forward_wmma
