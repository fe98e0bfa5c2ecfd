// The numerics contract on a GPU, for every family that runs on it.
#include <cmath>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/half.h"
#include "dispatch/variants.h"
#include "gate/accuracy.h"
#include "gate/random_problem.h"
#include "gate/target.h"
#include "gpu_test.h"

namespace flashcore {
namespace {

using test::gpu;
using test::gpu_dtypes;
using test::PinnedCall;

class GpuContract : public test::GpuTest {};

gate::Target target_of(const family::Family& family, const core::Problem& problem) {
  return {problem, gpu, {.family = std::string{family.name()}, .config = std::nullopt}};
}

/// Runs the call and expects no byte changed outside the outputs.
void run_safely(const family::Family& family, core::HostCall& call) {
  const gate::Damage damage = target_of(family, call.problem).run(call);
  EXPECT_EQ(damage.guard_bytes, 0U);
  EXPECT_EQ(damage.input_bytes, 0U);
  EXPECT_EQ(damage.padding_bytes, 0U);
}

TEST_F(GpuContract, RandomProblemsAgreeWithTheOracle) {
  const std::uint64_t problems = test::problem_count(400);
  const auto& limits = cuda::device_info(0).limits;
  for (const auto* family : test::families_here()) {
    std::uint64_t served = 0;
    for (std::uint64_t seed = 0; seed < problems; ++seed) {
      // Long ones now and then, so that a pipeline's stages are used again; and heads that every
      // family takes in turn with any.
      const auto problem = gate::random_problem(seed, {.max_seq = seed % 8 == 0 ? 700 : 200,
                                                       .max_head_dim = 256,
                                                       .head_dim_multiple = seed % 2 == 0 ? 8 : 1,
                                                       .dtypes = gpu_dtypes});
      if (const auto support = family->supports(problem, limits); !support) {
        ASSERT_TRUE(problem.head_dim % 8 != 0 || problem.alignment < 16) << support.reason();
        continue;
      }
      ++served;
      auto call = core::HostCall::random(problem, seed);
      run_safely(*family, call);
      const auto accuracy = gate::check_accuracy(call, true, true);
      ASSERT_TRUE(accuracy.correct) << family->name() << " seed " << seed << ' '
                                    << problem.to_string() << ": " << accuracy.reason;
    }
    EXPECT_GE(served, problems / 4) << family->name();
  }
}

TEST_F(GpuContract, EveryVariantsConfigAgreesWithTheOracle) {
  const std::uint64_t problems = test::problem_count(60);
  for (const auto& variant : dispatch::all_variants()) {
    if (variant.backend != dispatch::Backend::cuda) continue;
    const auto* family = family::find_family(variant.family);
    for (std::uint64_t seed = 0; seed < problems; ++seed) {
      const auto problem = gate::random_problem(
          seed,
          {.max_seq = 400, .max_head_dim = 128, .head_dim_multiple = 8, .dtypes = gpu_dtypes});
      if (!family->supports(problem, cuda::device_info(0).limits)) continue;
      auto call = core::HostCall::random(problem, seed);
      gate::Target(problem, gpu, dispatch::pinned_of(variant)).run(call);
      const auto accuracy = gate::check_accuracy(call, true, true);
      ASSERT_TRUE(accuracy.correct) << variant.name << " seed " << seed << ' '
                                    << problem.to_string() << ": " << accuracy.reason;
    }
  }
}

TEST_F(GpuContract, NanInAKeyReachesOnlyTheRowsThatSeeIt) {
  for (const auto* family : test::families_here())
    for (const bool in_values : {false, true}) {
      const core::Mask causal{.kind = core::MaskKind::causal_top_left};
      const auto problem =
          core::contiguous_problem(core::Dtype::float16, 1, 1, 1, 70, 70, 64, causal);
      auto call = core::HostCall::random(problem, 3);
      constexpr int key = 37;
      auto& spoiled = in_values ? call.v : call.k;
      spoiled.set(key * 64 + 5, std::numeric_limits<float>::quiet_NaN());
      run_safely(*family, call);
      for (int row = 0; row < 70; ++row)
        EXPECT_EQ(std::isnan(call.o.at(row * 64 + 5)), row >= key)
            << family->name() << " row " << row;
      EXPECT_TRUE(gate::check_accuracy(call, true, false).correct);
    }
}

TEST_F(GpuContract, ScoresOfAnySizeNeitherOverflowNorVanish) {
  for (const auto* family : test::families_here())
    for (const float magnitude : {1e-3F, 30.0F, 240.0F}) {
      auto call = core::HostCall::random(
          core::contiguous_problem(core::Dtype::float16, 1, 2, 2, 33, 150, 64), 4);
      for (std::int64_t i = 0; i < call.q.elements(); ++i) call.q.set(i, call.q.at(i) * magnitude);
      run_safely(*family, call);
      const auto accuracy = gate::check_accuracy(call, true, false);
      EXPECT_TRUE(accuracy.correct)
          << family->name() << " x" << magnitude << ": " << accuracy.reason;
    }
}

TEST_F(GpuContract, RowsWithoutKeysAreZeroAndMinusInfinity) {
  for (const auto* family : test::families_here()) {
    auto call = core::HostCall::random(
        core::contiguous_problem(core::Dtype::float16, 2, 2, 1, 9, 0, 32), 5);
    run_safely(*family, call);
    for (std::int64_t i = 0; i < call.o.elements(); ++i) ASSERT_EQ(call.o.at(i), 0.0F);
    for (const float lse : call.lse) ASSERT_EQ(lse, -std::numeric_limits<float>::infinity());
  }
}

/// Compiles the kernels of many calls side by side, then runs one after the other.
void expect_agreement(const std::vector<PinnedCall>& calls) {
  const auto targets = test::targets_of(calls);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    auto call = core::HostCall::random(calls[i].problem, i);
    const gate::Damage damage = targets[i]->run(call);
    EXPECT_EQ(damage.guard_bytes + damage.input_bytes + damage.padding_bytes, 0U);
    const auto accuracy = gate::check_accuracy(call, true, true);
    EXPECT_TRUE(accuracy.correct) << calls[i].pinned.family << ' '
                                  << calls[i].pinned.config->to_string() << ", "
                                  << calls[i].problem.to_string() << ": " << accuracy.reason;
  }
}

TEST_F(GpuContract, SpaceConfigsOfASmallProblemAreCorrect) {
  const core::Mask causal{.kind = core::MaskKind::causal_bottom_right};
  const auto problem =
      core::contiguous_problem(core::Dtype::bfloat16, 1, 2, 1, 75, 130, 64, causal);
  std::vector<PinnedCall> calls;
  for (const auto* family : test::families_here()) {
    const auto space = family->space(problem, cuda::device_info(0).limits);
    constexpr std::size_t sampled = 24;  // compiling is what takes the time
    for (std::size_t i = 0; i < space.size(); i += std::max<std::size_t>(1, space.size() / sampled))
      calls.push_back({problem, {.family = std::string{family->name()}, .config = space[i]}});
  }
  expect_agreement(calls);
}

TEST_F(GpuContract, ConfigsThatServeLargeProblemsAreCorrectOnSmallOnes) {
  struct Size {
    std::int64_t batch, heads, seq_q, seq_kv;
  };
  constexpr std::array sizes{Size{64, 32, 4096, 4096}, Size{1, 8, 2048, 2048}, Size{4, 8, 256, 256},
                             Size{1, 8, 512, 512}, Size{1, 8, 1, 65536}};
  const auto& limits = cuda::device_info(0).limits;
  const std::uint64_t problems = test::problem_count(5);
  std::vector<PinnedCall> calls;
  std::set<std::pair<std::string, std::string>> seen;
  for (const auto* family : test::families_here())
    for (const Size& size : sizes)
      for (const auto dtype : gpu_dtypes)
        for (const std::int64_t head_dim : {256, 192, 128, 96, 64, 32}) {
          const auto large = core::contiguous_problem(dtype, size.batch, size.heads, -1, size.seq_q,
                                                      size.seq_kv, head_dim);
          if (!family->supports(large, limits)) continue;
          const dispatch::Pinned pinned{.family = std::string{family->name()},
                                        .config = family->default_config(large, limits)};
          // Most serve several sizes, and the smaller head_dims too: once is enough.
          if (!seen.insert({pinned.family, pinned.config->to_string()}).second) continue;
          const std::array dtypes{dtype};
          for (std::uint64_t seed = 0; seed < problems; ++seed) {
            const auto problem =
                gate::random_problem(calls.size(), {.max_seq = seed % 4 == 0 ? 700 : 200,
                                                    .max_head_dim = head_dim,
                                                    .head_dim_multiple = 8,
                                                    .dtypes = dtypes});
            if (family->supports(problem, limits)) calls.push_back({problem, pinned});
          }
        }
  expect_agreement(calls);
}

}  // namespace
}  // namespace flashcore
