#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "core/problem.h"
#include "family/family.h"
#include "forward_tma_wgmma/balance.h"
#include "forward_tma_wgmma/config.h"
#include "forward_tma_wgmma/defaults.h"
#include "forward_tma_wgmma/grid.h"
#include "forward_tma_wgmma/params.h"
#include "hopper.h"

namespace flashcore::forward_tma_wgmma {
namespace {

TEST(ForwardTmaWgmma, RoundsDealEveryTaskToOneBlockOnce) {
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    const unsigned blocks = std::uniform_int_distribution<unsigned>(1, 150)(random);
    const unsigned tasks = std::uniform_int_distribution<unsigned>(1, 2000)(random);
    std::vector<int> taken(tasks);
    for (unsigned block = 0; block < blocks; ++block)
      for (unsigned round = 0;; ++round) {
        const unsigned task = task_of_round(round, block, blocks);
        if (task >= tasks) break;  // as a block does: it ends with the first that is not there
        ++taken[task];
      }
    for (const int times : taken) ASSERT_EQ(times, 1) << tasks << " tasks, " << blocks << " blocks";
  }
}

TEST(ForwardTmaWgmma, NoBlockHasMuchMoreOfACausalMaskThanTheOthers) {
  for (const int head_dim : {64, 128, 256})
    for (const int seq : {512, 1024, 2048, 4096, 8192, 16384}) {
      const auto problem =
          square(16384 / seq, 2048 / head_dim, seq, head_dim, core::MaskKind::causal_top_left);
      const Config config = default_for(problem, hopper);
      const DealtParams params = params_of(problem, config, hopper);
      const auto shares = shares_of(params.deal, costs_of(params, config),
                                    params.tasks / params.q_blocks.value, params.blocks);
      // What all multiprocessors would take that shared everything alike.
      const double even =
          std::accumulate(shares.begin(), shares.end(), 0.0) / hopper.multiprocessors;
      EXPECT_LT(*std::max_element(shares.begin(), shares.end()), even * 1.04)
          << problem.to_string();
    }
}

TEST(ForwardTmaWgmma, EveryTaskOfADealIsTakenOnce) {
  std::mt19937 random(4);
  const auto any = [&](unsigned least, unsigned most) {
    return std::uniform_int_distribution<unsigned>(least, most)(random);
  };
  for (int i = 0; i < 200; ++i) {
    const unsigned blocks = any(1, Deal::most_blocks);
    const unsigned heads = any(1, 60);
    std::vector<double> costs(any(1, 40));
    for (double& cost : costs) cost = any(1, 30);
    std::sort(costs.rbegin(), costs.rend());
    const Deal deal = balanced(costs, heads, any(1, 80), blocks);
    const auto tasks = heads * static_cast<unsigned>(costs.size());
    std::vector<int> taken(tasks);
    for (unsigned block = 0; block < blocks; ++block)
      for (unsigned round = 0;; ++round) {
        const unsigned task = dealt_task(deal, tasks, blocks, block, round);
        if (task >= tasks) break;
        ++taken[task];
      }
    for (const int times : taken) ASSERT_EQ(times, 1) << tasks << " tasks, " << blocks << " blocks";
  }
}

TEST(ForwardTmaWgmma, EqualRowsAndFewTasksTakeAllTheyCan) {
  const auto full = square(1, 8, 16384, 256, core::MaskKind::none);
  const Config config = default_for(full, hopper);
  EXPECT_EQ(params_of(full, config, hopper).blocks, 132U);
  const auto few = square(1, 8, 512, 64, core::MaskKind::causal_top_left);
  const Config small = default_for(few, hopper);
  EXPECT_EQ(params_of(few, small, hopper).blocks, 64U);
}

TEST(ForwardTmaWgmma, TheConsumersWhoseLongestShareIsDoneFirstTakeACall) {
  const auto consumers = [](int batch, int heads, int seq, core::MaskKind mask) {
    return default_for(square(batch, heads, seq, 64, mask), hopper).consumers;
  };
  EXPECT_EQ(consumers(32, 32, 512, core::MaskKind::none), 4);
  EXPECT_EQ(consumers(16, 32, 1024, core::MaskKind::none), 4);
  EXPECT_EQ(consumers(32, 32, 520, core::MaskKind::none), 3) << "576 rows, not 640 or 768";
  EXPECT_EQ(consumers(32, 32, 256, core::MaskKind::none), 2) << "too short for more";
  EXPECT_EQ(consumers(8, 32, 2048, core::MaskKind::none), 3);
  EXPECT_EQ(consumers(32, 32, 512, core::MaskKind::causal_top_left), 2);
  EXPECT_EQ(consumers(16, 32, 1024, core::MaskKind::causal_top_left), 3);
  EXPECT_EQ(consumers(1, 8, 2048, core::MaskKind::none), 2) << "128 tasks at once, not 88";
  EXPECT_EQ(consumers(1, 12, 2048, core::MaskKind::none), 3) << "132 tasks, not 192";
}

TEST(ForwardTmaWgmma, BlocksStayWhereThereAreManyTasks) {
  const auto stay = [](int heads, int seq, int head_dim) {
    return stays(default_for(square(1, heads, seq, head_dim, core::MaskKind::none), hopper));
  };
  EXPECT_FALSE(stay(16, 1024, 128)) << "128 tasks";
  EXPECT_TRUE(stay(40, 1024, 128)) << "320 tasks";
}

TEST(ForwardTmaWgmma, BlocksShareTheKeysOfCausalRowsThatAreLongForTheirNumber) {
  const auto causal = [](int heads, int seq, int head_dim) {
    return default_for(square(1, heads, seq, head_dim, core::MaskKind::causal_top_left), hopper);
  };
  EXPECT_EQ(causal(1, 16384, 64).kv_splits, 2) << "one block's 128 tiles would be waited for";
  EXPECT_EQ(causal(1, 16384, 128).kv_splits, 2);
  EXPECT_EQ(causal(1, 4096, 64).kv_splits, 4);
  EXPECT_EQ(causal(32, 512, 64).kv_splits, 1);
  EXPECT_EQ(causal(32, 16384, 64).kv_splits, 1) << "others' tasks fill the time";
  EXPECT_EQ(default_for(square(1, 8, 2048, 64, core::MaskKind::none), hopper).kv_splits, 1);
}

TEST(ForwardTmaWgmma, NoDefaultHasClustersThatDoNotFit) {
  core::GpuLimits gpu = hopper;
  for (gpu.multiprocessors = 1; gpu.multiprocessors <= 16; ++gpu.multiprocessors)
    for (const int heads : {1, 2, 4, 8})
      EXPECT_LE(default_for(square(1, heads, 512, 64, core::MaskKind::none), gpu).kv_splits,
                gpu.multiprocessors)
          << heads;
}

TEST(ForwardTmaWgmma, EveryDefaultIsValidAndAmongThoseThatAreShipped) {
  const auto* family = family::find_family("forward_tma_wgmma");
  ASSERT_NE(family, nullptr);
  const auto shipped = family->shipped_configs(hopper);
  EXPECT_EQ(shipped.size(), all_defaults().size());  // none was dropped as not valid
  std::mt19937 random(2);
  const auto any = [&](int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random);
  };
  for (int i = 0; i < 300; ++i) {
    const auto problem =
        square(any(1, 8), any(1, 40), 1 << any(0, 14), any(1, 32) * 8,
               i % 2 == 0 ? core::MaskKind::none : core::MaskKind::causal_top_left);
    const auto config = family->default_config(problem, hopper);
    EXPECT_NE(std::find(shipped.begin(), shipped.end(), config), shipped.end())
        << problem.to_string() << ": " << config.to_string();
  }
}

core::Problem few_queries(std::int64_t batch, std::int64_t heads, std::int64_t heads_kv,
                          std::int64_t seq_q, std::int64_t seq_kv, std::int64_t head_dim) {
  return core::contiguous_problem(core::Dtype::float16, batch, heads, heads_kv, seq_q, seq_kv,
                                  head_dim);
}

TEST(ForwardTmaWgmma, ATileHoldsAGroupsHeadsWhereThatMakesFewerTasks) {
  std::mt19937 random(3);
  const auto any = [&](int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random);
  };
  for (int i = 0; i < 300; ++i) {
    const int heads_kv = any(1, 8);
    const int group = i % 3 == 0 ? 1 : any(2, 70);
    const auto problem = few_queries(any(1, 8), heads_kv * group, heads_kv, 1 << any(0, 9),
                                     1 << any(0, 13), any(1, 32) * 8);
    SCOPED_TRACE(problem.to_string());
    const Config config = default_for(problem, hopper);
    const DealtParams params = params_of(problem, config, hopper);
    const std::int64_t unpacked = tasks_of(problem, warpgroup_rows);
    const bool packs = tasks_of(problem, warpgroup_rows, packed_heads(problem)) < unpacked;
    const unsigned blocks = params.tasks * static_cast<unsigned>(config.kv_splits);
    EXPECT_TRUE(config.pack_heads == 1 || !packs);
    EXPECT_TRUE(config.pack_heads == 0 || params.tasks <= unpacked);
    if (config.pack_heads == 1) {
      EXPECT_TRUE(config.kv_splits == 1 || blocks <= 132);
      EXPECT_TRUE(config.kv_splits <= 2 || blocks <= 99);
    }
    const auto* family = family::find_family("forward_tma_wgmma");
    const auto space = family->space(problem, hopper);
    EXPECT_NE(std::find(space.begin(), space.end(), family->default_config(problem, hopper)),
              space.end())
        << "the tuner would not find where to start";
  }
}

TEST(ForwardTmaWgmma, ADecodingCallReadsEachKeyHeadOnce) {
  const auto problem = few_queries(8, 32, 8, 1, 4096, 128);
  const Config config = default_for(problem, hopper);
  EXPECT_EQ(params_of(problem, config, hopper).tasks, 8U * 8U);
  EXPECT_EQ(config.kv_splits, 2);
  EXPECT_EQ(default_for(few_queries(1, 32, 8, 1, 8192, 128), hopper).kv_splits, 8);
}

TEST(ForwardTmaWgmma, LongKeysOfVeryFewHeadsAreLeftToTheFamilyThatDealsThemFiner) {
  const auto* family = family::find_family("forward_tma_wgmma");
  EXPECT_TRUE(family->prefers(few_queries(1, 32, 8, 1, 65536, 128), hopper));
  const auto preference = family->prefers(few_queries(1, 8, 1, 1, 65536, 128), hopper);
  EXPECT_FALSE(preference);
  EXPECT_NE(preference.reason().find("8 of 132 multiprocessors for 1 queries over 65536 keys"),
            std::string::npos)
      << preference.reason();
}

TEST(ForwardTmaWgmma, WarpgroupsNeverAskForMoreRegistersThanTheBlockHas) {
  for (const int consumers : {1, 2, 3, 4}) {
    Config config;
    config.consumers = consumers;
    EXPECT_TRUE(registers_suffice(config)) << consumers;
  }
}

}  // namespace
}  // namespace flashcore::forward_tma_wgmma
