// The barriers of forward_tma_wgmma under many schedules: who runs when, and when copies land and
// products end, changes nothing; no schedule is a deadlock, uses a stage before it is free, or
// breaks another of the emulator's rules.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "emulated_call.h"
#include "gate/accuracy.h"
#include "gate/random_problem.h"
#include "support/problem_count.h"

namespace flashcore::emulate {
namespace {

const family::Family& hopper_family() {
  return *family::find_family("forward_tma_wgmma");
}

struct Protocol {
  family::ConfigFields config;
};

void PrintTo(const Protocol& protocol, std::ostream* stream) {
  *stream << protocol.config.to_string();
}

/// Of the family's space what is not shipped: a single stage, other numbers of consumers, more
/// splits, weights after the product where the defaults overlap both.
constexpr const char* examples[] = {
    "head_dim=64,consumers=1,block_kv=64,stages=1,q_stages=1,kv_splits=1",
    "head_dim=64,consumers=3,block_kv=64,stages=3,q_stages=2,kv_splits=1",
    "head_dim=128,consumers=3,block_kv=64,stages=1,q_stages=2,kv_splits=1",
    "head_dim=256,consumers=1,block_kv=64,stages=1,q_stages=2,kv_splits=1",
    "head_dim=64,consumers=2,block_kv=64,stages=2,q_stages=1,kv_splits=4,element=1",
    "head_dim=64,consumers=1,block_kv=128,stages=1,q_stages=1,kv_splits=8",
    "head_dim=128,consumers=1,block_kv=64,stages=2,q_stages=1,kv_splits=8",
    "head_dim=256,consumers=1,block_kv=64,stages=1,q_stages=1,kv_splits=4",
    "head_dim=64,consumers=3,block_kv=64,stages=2,q_stages=2,pack_heads=1",
    "head_dim=128,consumers=2,block_kv=64,stages=2,q_stages=1,kv_splits=4,pack_heads=1",
    "head_dim=64,consumers=3,block_kv=128,stages=2,q_stages=1,overlap_output=0",
    "head_dim=64,consumers=2,block_kv=192,stages=1,q_stages=1,overlap_output=0",
    "head_dim=64,consumers=4,block_kv=64,stages=1,q_stages=1,overlap_output=0,pack_heads=1",
    "head_dim=128,consumers=2,block_kv=128,stages=1,q_stages=2,overlap_output=0",
    "head_dim=256,consumers=1,block_kv=64,stages=1,q_stages=1,kv_splits=2,overlap_output=0",
};

/// What the family ships, and examples of what tuned records may hold.
std::vector<Protocol> protocols() {
  std::vector<Protocol> all;
  const auto add = [&](const family::ConfigFields& config) {
    const auto same = [&](const Protocol& other) { return other.config == config; };
    if (std::none_of(all.begin(), all.end(), same)) all.push_back({config});
  };
  for (const auto& config : hopper_family().shipped_configs(hopper_of(132))) add(config);
  const auto any = hopper_family().default_config(
      core::contiguous_problem(core::Dtype::float16, 1, 1, 1, 64, 64, 64), hopper_of(132));
  for (const char* fields : examples)
    add(family::overlaid(any, family::ConfigFields::parse(fields)));
  return all;
}

std::string protocol_name(const ::testing::TestParamInfo<Protocol>& info) {
  std::string name;
  for (const auto& [field, value] : info.param.config.fields())
    name += field + std::to_string(value);
  std::erase(name, '_');
  return name;
}

class Protocols : public ::testing::TestWithParam<Protocol> {
 protected:
  [[nodiscard]] std::int64_t field(const char* name) const { return GetParam().config.at(name); }

  /// So many query rows of two heads, on two multiprocessors.
  [[nodiscard]] core::Problem problem_of(std::int64_t seq_q, std::int64_t seq_kv,
                                         core::Mask mask = {}) const {
    const auto dtype = field("element") == 0 ? core::Dtype::float16 : core::Dtype::bfloat16;
    return core::contiguous_problem(dtype, 1, 2, 1, seq_q, seq_kv, field("head_dim"), mask);
  }

  /// Runs the call under every schedule and expects the bits of the first, which are right.
  void expect_one_result(const core::Problem& problem, float scale_sign = 1.0F) const {
    SCOPED_TRACE(problem.to_string());
    EmulatedCall emulated(hopper_family(), GetParam().config, problem, jit::embedded_sources(),
                          hopper_of(2));
    auto first = core::HostCall::random(problem, 1);
    first.scale *= scale_sign;
    emulated.run(first, 0);
    ASSERT_EQ(emulated.findings(), "");
    const auto accuracy = gate::check_accuracy(first, true, true);
    ASSERT_TRUE(accuracy.correct) << accuracy.reason;
    for (std::uint64_t seed = 1; seed < test::schedule_count(4); ++seed) {
      auto again = core::HostCall::random(problem, 1);
      again.scale *= scale_sign;
      emulated.run(again, seed);
      ASSERT_EQ(emulated.findings(), "") << "schedule " << seed;
      EXPECT_EQ(std::memcmp(first.o.data(), again.o.data(), first.o.bytes()), 0) << seed;
      EXPECT_EQ(first.lse, again.lse) << "schedule " << seed;
    }
  }
};

constexpr core::Mask causal{.kind = core::MaskKind::causal_bottom_right};

/// Three blocks of rows and two heads are six tasks for two blocks, five where tiles pack heads;
/// their tiles are few for the first rows and many for the last.
TEST_P(Protocols, TasksOfDifferentLengthGiveOneResult) {
  const std::int64_t rows = 2 * 64 * field("consumers") + 5;
  const auto problem = problem_of(rows, 3 * field("block_kv") + 7, causal);
  const auto shape = hopper_family().prepare(problem, GetParam().config, hopper_of(2))->shapes()[0];
  if (field("kv_splits") == 1 && field("persistent") == 1) {
    ASSERT_EQ(shape.grid, 2U) << "blocks do not stay";
  }
  expect_one_result(problem);
}

/// Q is free again after the very tile that it came with. A negative scale has consumers write to
/// their rows of Q, whose place the next task's copy takes.
TEST_P(Protocols, TasksOfOneTileGiveOneResult) {
  expect_one_result(problem_of(2 * 64 * field("consumers") + 1, field("block_kv") - 9), -1.0F);
}

/// Windows, groups of heads and lengths that leave blocks tasks with hidden and with half tiles.
TEST(PersistentBlocks, RandomProblemsOfManyTasksAgreeWithTheOracle) {
  std::vector<family::ConfigFields> configs;
  for (const auto& config : hopper_family().shipped_configs(hopper_of(132)))
    if (config.at("persistent") == 1 && config.at("kv_splits") == 1 && config.at("element") == 0)
      configs.push_back(config);
  ASSERT_GE(configs.size(), 6U);
  constexpr std::array dtypes{core::Dtype::float16};
  for (std::uint64_t seed = 0; seed < test::problem_count(4 * configs.size()); ++seed) {
    const auto& config = configs[seed % configs.size()];
    const auto problem = gate::random_problem(seed, {.max_batch = 2,
                                                     .max_heads_kv = 2,
                                                     .max_group = 2,
                                                     .max_seq = 600,
                                                     .max_head_dim = config.at("head_dim"),
                                                     .head_dim_multiple = 8,
                                                     .dtypes = dtypes});
    ASSERT_TRUE(hopper_family().supports(problem, hopper_of(2)));
    SCOPED_TRACE(problem.to_string() + ' ' + config.to_string());
    EmulatedCall emulated(hopper_family(), config, problem, jit::embedded_sources(), hopper_of(2));
    auto call = core::HostCall::random(problem, seed);
    emulated.run(call, seed);
    ASSERT_EQ(emulated.findings(), "");
    const auto accuracy = gate::check_accuracy(call, true, true);
    ASSERT_TRUE(accuracy.correct) << accuracy.reason;
  }
}

INSTANTIATE_TEST_SUITE_P(Hopper, Protocols, ::testing::ValuesIn(protocols()), protocol_name);

}  // namespace
}  // namespace flashcore::emulate
