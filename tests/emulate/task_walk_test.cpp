// The tasks of forward_tma_wgmma, as its own host side lays them out and its blocks take them.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "emulate/launch.h"
#include "emulated_call.h"
#include "gate/random_problem.h"
#include "kernels/walk/params.h"
#include "small_kernel.h"

namespace flashcore::emulate {
namespace {

using walk::Step;

/// What the family would launch.
struct Captured {
  forward_tma_wgmma::DealtParams params;
  cuda::LaunchShape shape;
};

Captured captured_launch(const core::Problem& problem, const walk::Config& config,
                         int multiprocessors) {
  const auto capture = [](void* to, const cuda::LaunchShape& shape, cuda::StreamHandle,
                          const void* params, std::size_t) {
    *static_cast<Captured*>(to) = {*static_cast<const forward_tma_wgmma::DealtParams*>(params),
                                   shape};
  };
  const auto no_map = [](const cuda::TensorBox&, const void*, device::TensorMap&) {};
  Captured captured;
  const cuda::Kernel kernel(&captured, capture, no_map);
  const auto* family = family::find_family("forward_tma_wgmma");
  family->prepare(problem, family::to_fields(config), hopper_of(multiprocessors))
      ->launch({&kernel, 1}, {}, nullptr);
  return captured;
}

/// What each of the launch's blocks does; `rows` counts how often each query row is one of a task.
std::vector<std::vector<Step>> walked(const Captured& captured, int config,
                                      std::vector<int>& rows) {
  static const host::Module& module = small_kernel("walk");
  const std::size_t blocks = captured.shape.grid;
  const std::size_t rounds = captured.params.tasks;
  std::vector<Step> steps(blocks * rounds);
  std::vector<int> counts(blocks), wrong(blocks);
  walk::Params params{.call = captured.params,
                      .config = config,
                      .most_steps = static_cast<int>(rounds),
                      .g_steps = steps.data(),
                      .g_counts = counts.data(),
                      .g_wrong = wrong.data(),
                      .g_rows = rows.data()};
  const Report report =
      launch(module, {.grid = captured.shape.grid, .block = 32, .cluster = captured.shape.cluster},
             &params,
             {.buffers = {{steps.data(), steps.size() * sizeof(Step), "steps", true},
                          {counts.data(), blocks * sizeof(int), "counts", true},
                          {wrong.data(), blocks * sizeof(int), "wrong", true},
                          {rows.data(), rows.size() * sizeof(int), "rows", true}},
              .label = "walk"});
  EXPECT_EQ(describe(report), "");
  std::vector<std::vector<Step>> taken(blocks);
  for (std::size_t block = 0; block < blocks; ++block) {
    EXPECT_EQ(wrong[block], 0) << "tiles apart, hidden from rows that see them, or not plain";
    EXPECT_LE(counts[block], params.most_steps);
    const auto first = steps.begin() + static_cast<std::ptrdiff_t>(block * rounds);
    taken[block].assign(first, first + std::min(counts[block], params.most_steps));
  }
  return taken;
}

/// The blocks' shares of one task.
void expect_visible_keys_once(const core::Problem& problem, const walk::Config& config,
                              int positions, int missing, const std::vector<Step>& shares) {
  ASSERT_EQ(shares.size(), static_cast<std::size_t>(config.kv_splits));
  std::vector<int> copied(static_cast<std::size_t>(problem.seq_kv));
  std::vector<bool> seen(copied.size());
  for (std::size_t rank = 0; rank < shares.size(); ++rank) {
    const Step& share = shares[rank];
    ASSERT_EQ(share.rank, static_cast<int>(rank)) << "a block has two shares of a task";
    ASSERT_EQ(share.first_position, static_cast<int>(share.q_block) * positions - missing);
    ASSERT_EQ(share.kv_head, share.head / problem.group_size());
    ASSERT_GE(share.tiles, 1);
    for (int key = share.last_tile; key < share.last_tile + share.tiles * config.block_kv; ++key)
      if (key >= 0 && key < problem.seq_kv) ++copied[static_cast<std::size_t>(key)];
  }
  const std::int64_t first = shares[0].first_position;
  const std::int64_t end = std::min(first + positions, problem.seq_q);
  for (std::int64_t row = std::max<std::int64_t>(first, 0); row < end; ++row) {
    const auto keys = device::visible_keys(problem.band(), row, problem.seq_kv);
    for (auto key = keys.begin; key < keys.end; ++key) seen[static_cast<std::size_t>(key)] = true;
  }
  for (std::size_t key = 0; key < copied.size(); ++key) {
    ASSERT_LE(copied[key], 1) << "key " << key;
    ASSERT_GE(copied[key], seen[key] ? 1 : 0) << "key " << key;
  }
}

TEST(TaskWalk, EveryBlockOfRowsIsTakenOnceAndItsKeysAreDealtOutOnce) {
  for (std::uint64_t seed = 0; seed < 90; ++seed) {
    const auto config_place = static_cast<int>(seed % std::size(walk::configs));
    const walk::Config& config = walk::configs[config_place];
    const std::array dtypes{core::Dtype::float16};
    const auto problem = gate::random_problem(
        seed, {.max_seq = 700, .max_head_dim = 64, .head_dim_multiple = 8, .dtypes = dtypes});
    const int multiprocessors = 2 + static_cast<int>(seed * 7 % 20);
    SCOPED_TRACE(problem.to_string() + " on " + std::to_string(multiprocessors) + ", " +
                 family::to_fields(config).to_string());
    std::map<std::tuple<int, int, unsigned>, std::vector<Step>> tasks;
    const auto captured = captured_launch(problem, config, multiprocessors);
    std::vector<int> rows(
        static_cast<std::size_t>(problem.batch * problem.heads_q * problem.seq_q));
    for (const auto& block : walked(captured, config_place, rows))
      for (const Step& step : block) tasks[{step.batch, step.head, step.q_block}].push_back(step);
    EXPECT_EQ(std::count(rows.begin(), rows.end(), 1), std::ssize(rows));
    EXPECT_EQ(tasks.size(), captured.params.tasks);
    const int positions = block_q(config) >> captured.params.tile_heads_log2;
    for (const auto& [place, shares] : tasks) {
      const auto& [batch, head, q_block] = place;
      ASSERT_TRUE(batch >= 0 && batch < problem.batch && head >= 0 && head < problem.heads_q &&
                  static_cast<int>(q_block) * positions < problem.seq_q);
      ASSERT_NO_FATAL_FAILURE(expect_visible_keys_once(problem, config, positions,
                                                       captured.params.missing_positions, shares));
    }
  }
}

}  // namespace
}  // namespace flashcore::emulate
