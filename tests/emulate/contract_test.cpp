// The numerics contract on the emulator, for every GPU family: random Problems, every check on,
// another order of the threads for each.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "core/error.h"
#include "dispatch/variants.h"
#include "emulate/module_store.h"
#include "family/forward_call.h"
#include "gate/accuracy.h"
#include "gate/random_problem.h"
#include "gate/runtime_gates.h"
#include "gate/target.h"
#include "support/family_param.h"
#include "support/problem_count.h"

namespace flashcore::emulate {
namespace {

constexpr dispatch::Device emulator{.backend = dispatch::Backend::emulator};
constexpr std::array emulated_dtypes{core::Dtype::float16, core::Dtype::bfloat16};

/// What a call's random inputs are changed by.
enum class Twist : std::uint8_t { none, negative_scale, nan_in_a_key, scores_far_from_zero };

struct EmulatedProblem {
  core::Problem problem;
  dispatch::Pinned pinned;
  std::uint64_t seed;
  Twist twist = Twist::none;
};

/// Moves scores far above zero in the first head, far below in the second, and either way by turns
/// in the third.
void move_scores(core::HostCall& call) {
  const core::Problem& p = call.problem;
  for (std::int64_t b = 0; b < p.batch; ++b) {
    for (std::int64_t h = 0; h < p.heads_q; ++h)
      for (std::int64_t row = 0; row < p.seq_q; ++row) {
        const bool above = h % 3 == 0 || (h % 3 == 2 && row % 2 == 0);
        call.q.set(p.q_strides.offset(b, h, row), above ? 48.0F : -48.0F);
      }
    for (std::int64_t h = 0; h < p.heads_kv; ++h)
      for (std::int64_t key = 0; key < p.seq_kv; ++key)
        call.k.set(p.k_strides.offset(b, h, key), 12.0F);
  }
}

core::HostCall call_of(const EmulatedProblem& of) {
  const core::Problem& problem = of.problem;
  auto call = core::HostCall::random(problem, of.seed);
  if (of.twist == Twist::negative_scale) call.scale = -call.scale;
  if (of.twist == Twist::scores_far_from_zero) move_scores(call);
  if (of.twist == Twist::nan_in_a_key && problem.seq_kv > 0) {
    // Of the first head: the masks hide it from some of the rows.
    const auto key = static_cast<std::int64_t>(of.seed) * 37 % problem.seq_kv;
    auto& spoiled = of.seed % 2 == 0 ? call.k : call.v;
    const auto& strides = of.seed % 2 == 0 ? problem.k_strides : problem.v_strides;
    spoiled.set(key * strides.seq + problem.head_dim / 2, std::numeric_limits<float>::quiet_NaN());
  }
  return call;
}

/// Compiles every kernel that the Problems need side by side, then runs one after the other.
void expect_contract(const std::vector<EmulatedProblem>& calls) {
  std::vector<ModuleSpec> modules;
  for (const EmulatedProblem& each : calls)
    for (const auto& kernel : dispatch::kernels_of(each.problem, emulator, each.pinned))
      modules.push_back({.kernel = kernel});
  prepare_modules(modules);
  for (const EmulatedProblem& each : calls) {
    SCOPED_TRACE(each.pinned.family + " seed " + std::to_string(each.seed) + ' ' +
                 each.problem.to_string());
    const gate::Target target(each.problem, emulator, each.pinned);
    auto call = call_of(each);
    gate::Damage damage;
    try {
      damage = target.run(call, each.seed);
    } catch (const core::Error& found) {
      FAIL() << found.what();
    }
    EXPECT_EQ(damage.guard_bytes + damage.input_bytes + damage.padding_bytes, 0U);
    const auto accuracy = gate::check_accuracy(call, true, each.twist == Twist::none);
    ASSERT_TRUE(accuracy.correct) << target.choice().config << ": " << accuracy.reason;
  }
}

class EmulatedFamily : public ::testing::TestWithParam<const family::Family*> {};

TEST_P(EmulatedFamily, RandomProblemsAgreeWithTheOracleAndPassEveryCheck) {
  const auto& family = *GetParam();
  std::vector<EmulatedProblem> calls;
  for (std::uint64_t seed = 0; seed < test::problem_count(48); ++seed) {
    // Mostly heads of one capacity, because each costs a run of the compiler; now and then wide.
    const bool wide = seed % 8 == 7;
    const auto problem = gate::random_problem(seed, {.max_batch = 2,
                                                     .max_heads_kv = 2,
                                                     .max_group = 2,
                                                     .max_seq = wide ? 70 : 150,
                                                     .max_head_dim = wide ? 256 : 64,
                                                     .head_dim_multiple = 8,
                                                     .dtypes = emulated_dtypes});
    if (family.supports(problem, core::limits_of(emulator.arch)))
      calls.push_back({problem, {.family = std::string{family.name()}, .config = {}}, seed});
  }
  EXPECT_GE(calls.size(), test::problem_count(48) / 3);
  expect_contract(calls);
}

INSTANTIATE_TEST_SUITE_P(All, EmulatedFamily,
                         ::testing::ValuesIn(family::all_families().begin(),
                                             family::all_families().end()),
                         test::family_name);

TEST(EmulatedVariants, EveryVariantsConfigAgreesWithTheOracleAndPassesEveryCheck) {
  const core::Mask causal{.kind = core::MaskKind::causal_bottom_right};
  std::vector<EmulatedProblem> calls;
  for (const auto& variant : dispatch::all_variants())
    if (variant.backend == dispatch::Backend::cuda)
      for (std::uint64_t seed = 1; seed <= 3; ++seed)
        calls.push_back({core::contiguous_problem(core::Dtype::float16, 1, 2, 1, 100, 150, 64,
                                                  seed == 2 ? causal : core::Mask{}),
                         dispatch::pinned_of(variant), seed});
  expect_contract(calls);
}

TEST(EmulatedVariants, ForwardMmasConfigsForLargeProblemsAreCorrectOnSmallOnes) {
  const auto* family = family::find_family("forward_mma");
  const auto gpu = core::limits_of(emulator.arch);
  std::vector<EmulatedProblem> calls;
  for (const int head_dim : {64, 128, 256})
    for (const std::int64_t batch : {1, 64}) {  // medium blocks, and the largest
      const auto dtype = emulated_dtypes[calls.size() / 4 % 2];
      const auto large = core::contiguous_problem(dtype, batch, 8, 8, 2048, 2048, head_dim);
      const dispatch::Pinned pinned{.family = "forward_mma",
                                    .config = family->default_config(large, gpu)};
      const std::array dtypes{dtype};
      for (std::uint64_t seed = 0; seed < 4; ++seed)
        calls.push_back({gate::random_problem(calls.size(), {.max_batch = 1,
                                                             .max_heads_kv = 2,
                                                             .max_group = 2,
                                                             .max_seq = 250,
                                                             .max_head_dim = head_dim,
                                                             .head_dim_multiple = 8,
                                                             .dtypes = dtypes}),
                         pinned, seed});
    }
  expect_contract(calls);
}

TEST(EmulatedVariants, KeysSplitOverAClusterAgreeWithTheOracleAndPassEveryCheck) {
  constexpr std::array<std::string_view, 6> configs{
      "element=0,head_dim=64,consumers=1,block_kv=64,stages=2,kv_splits=2",
      "element=1,head_dim=64,consumers=2,block_kv=128,stages=1,kv_splits=4",
      "element=0,head_dim=64,consumers=1,block_kv=64,stages=1,kv_splits=8",
      "element=1,head_dim=128,consumers=1,block_kv=128,stages=1,kv_splits=2",
      "element=0,head_dim=128,consumers=2,block_kv=64,stages=1,kv_splits=4",
      "element=1,head_dim=256,consumers=1,block_kv=64,stages=1,kv_splits=8"};
  std::vector<EmulatedProblem> calls;
  for (std::uint64_t seed = 0; seed < test::problem_count(24); ++seed) {
    const auto config = family::ConfigFields::parse(configs[seed % configs.size()]);
    const std::array dtypes{emulated_dtypes[static_cast<std::size_t>(config.at("element"))]};
    // From keys that are fewer than the blocks of a cluster to several tiles for each.
    const auto problem = gate::random_problem(seed, {.max_batch = 2,
                                                     .max_heads_kv = 2,
                                                     .max_group = 2,
                                                     .max_seq = seed % 4 == 0 ? 400 : 150,
                                                     .max_head_dim = config.at("head_dim"),
                                                     .head_dim_multiple = 8,
                                                     .dtypes = dtypes});
    calls.push_back({problem,
                     {.family = "forward_tma_wgmma", .config = config},
                     seed,
                     static_cast<Twist>(seed / configs.size() % 3)});
  }
  expect_contract(calls);
}

/// Weights relative to a reference that is not the maximum must still fit 16 bits.
TEST(EmulatedVariants, ScoresFarFromZeroNeitherOverflowNorVanish) {
  const auto gpu = core::limits_of(emulator.arch);
  std::vector<EmulatedProblem> calls;
  for (const auto* family : family::all_families())
    for (const auto& config : family->shipped_configs(gpu)) {
      const std::int64_t head_dim = config.at("head_dim");
      if (head_dim > 64) continue;
      const auto problem =
          core::contiguous_problem(emulated_dtypes[static_cast<std::size_t>(config.at("element"))],
                                   1, 3, 1, 90, calls.size() % 3 == 0 ? 50 : 290, head_dim);
      if (family->supports(problem, gpu))
        calls.push_back({problem,
                         {.family = std::string{family->name()}, .config = config},
                         calls.size(),
                         Twist::scores_far_from_zero});
    }
  EXPECT_GE(calls.size(), 8U);
  expect_contract(calls);
}

TEST(EmulatedVariants, TheOrderOfTheThreadsChangesNoBit) {
  const auto problem = core::contiguous_problem(core::Dtype::float16, 1, 2, 1, 70, 100, 64);
  for (const auto& variant : dispatch::all_variants()) {
    if (variant.backend != dispatch::Backend::cuda) continue;
    const gate::Target target(problem, emulator, dispatch::pinned_of(variant));
    auto first = core::HostCall::random(problem, 1);
    target.run(first, 0);
    for (std::uint64_t schedule = 1; schedule < 6; ++schedule) {
      auto again = core::HostCall::random(problem, 1);
      target.run(again, schedule);
      EXPECT_EQ(std::memcmp(first.o.data(), again.o.data(), first.o.bytes()), 0)
          << variant.name << " schedule " << schedule;
      EXPECT_EQ(first.lse, again.lse) << variant.name << " schedule " << schedule;
    }
  }
}

TEST(EmulatedVariants, TheTilesOfForwardMmaHaveNoBankConflictsForAnyHead) {
  for (const int head_dim : family::tensor_core_head_dims) {
    const auto problem = core::contiguous_problem(core::Dtype::bfloat16, 1, 1, 1, 64, 96, head_dim);
    const gate::Target target(problem, emulator, {.family = "forward_mma", .config = {}});
    const auto result = gate::run_tile_conflicts(target, {});
    EXPECT_EQ(result.verdict, gate::Verdict::pass) << head_dim << ": " << result.detail;
  }
}

}  // namespace
}  // namespace flashcore::emulate
