#include "cpu/oracle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>
#include <limits>

namespace flashcore::cpu {
namespace {

using core::Dtype;
using core::HostCall;
using core::HostTensor;
using core::Mask;
using core::MaskKind;
using core::Problem;

constexpr double infinity_f64 = std::numeric_limits<double>::infinity();

void set(HostTensor& tensor, std::initializer_list<double> values) {
  ASSERT_EQ(tensor.elements(), static_cast<std::int64_t>(values.size()));
  std::int64_t i = 0;
  for (const double value : values) tensor.set(i++, static_cast<float>(value));
}

/// fp32 with head_dim 1, so that a score is a product of two numbers.
HostCall call_of(std::int64_t seq_q, std::int64_t seq_kv, Mask mask = {}) {
  HostCall call = HostCall::random(
      core::contiguous_problem(Dtype::float32, 1, 1, -1, seq_q, seq_kv, 1, mask), 1);
  call.scale = 1.0F;
  return call;
}

/// Keys that are powers of ten as values: the output says who was seen. All scores are 0.
OracleResult who_is_seen(std::int64_t seq_q, Mask mask) {
  HostCall call = call_of(seq_q, 3, mask);
  for (std::int64_t i = 0; i < seq_q; ++i) call.q.set(i, 0.0F);
  set(call.v, {1, 10, 100});
  return oracle(call.problem, call.arguments());
}

TEST(Oracle, WeighsByTheExponentialOfTheScore) {
  HostCall call = call_of(1, 2);
  set(call.q, {1});
  set(call.k, {0, std::log(3.0)});  // probabilities 1/4 and 3/4
  set(call.v, {0, 4});
  const OracleResult result = oracle(call.problem, call.arguments());
  EXPECT_NEAR(result.o[0], 3.0, 1e-6);
  EXPECT_NEAR(result.lse[0], std::log(4.0), 1e-6);
}

TEST(Oracle, MultipliesScoresWithTheScale) {
  HostCall call = call_of(1, 2);
  call.scale = 0.5F;
  set(call.q, {2});
  set(call.k, {0, std::log(3.0)});
  set(call.v, {0, 4});
  EXPECT_NEAR(oracle(call.problem, call.arguments()).o[0], 3.0, 1e-6);
}

TEST(Oracle, EqualScoresGiveTheMean) {
  const OracleResult result = who_is_seen(1, {});
  EXPECT_NEAR(result.o[0], 37.0, 1e-12);
  EXPECT_NEAR(result.lse[0], std::log(3.0), 1e-12);
}

TEST(Oracle, CausalTopLeftSeesKeysUpToTheQuery) {
  const OracleResult result = who_is_seen(2, {.kind = MaskKind::causal_top_left});
  EXPECT_DOUBLE_EQ(result.o[0], 1.0);
  EXPECT_DOUBLE_EQ(result.o[1], 5.5);
}

TEST(Oracle, CausalBottomRightLetsTheLastQuerySeeAll) {
  const OracleResult result = who_is_seen(2, {.kind = MaskKind::causal_bottom_right});
  EXPECT_DOUBLE_EQ(result.o[0], 5.5);
  EXPECT_DOUBLE_EQ(result.o[1], 37.0);
}

TEST(Oracle, WindowCountsInclusivelyFromTheBottomRightDiagonal) {
  const OracleResult result = who_is_seen(2, {.window_left = 1, .window_right = 0});
  EXPECT_DOUBLE_EQ(result.o[0], 5.5);   // keys 0 and 1
  EXPECT_DOUBLE_EQ(result.o[1], 55.0);  // keys 1 and 2
}

TEST(Oracle, WindowOfACausalTopLeftMaskFollowsItsDiagonal) {
  const OracleResult result = who_is_seen(3, {.kind = MaskKind::causal_top_left, .window_left = 0});
  EXPECT_DOUBLE_EQ(result.o[0], 1.0);
  EXPECT_DOUBLE_EQ(result.o[1], 10.0);
  EXPECT_DOUBLE_EQ(result.o[2], 100.0);
}

TEST(Oracle, FullyMaskedRowsAreZeroWithLseMinusInfinity) {
  const OracleResult result = who_is_seen(5, {.kind = MaskKind::causal_bottom_right});
  for (const std::size_t row : {0U, 1U}) {
    EXPECT_EQ(result.o[row], 0.0);
    EXPECT_EQ(result.lse[row], -infinity_f64);
  }
  EXPECT_DOUBLE_EQ(result.o[2], 1.0);
}

TEST(Oracle, WithoutKeysEveryRowIsMasked) {
  HostCall call = call_of(2, 0);
  const OracleResult result = oracle(call.problem, call.arguments());
  EXPECT_EQ(result.o, (std::vector<double>{0, 0}));
  EXPECT_EQ(result.lse, (std::vector<double>{-infinity_f64, -infinity_f64}));
}

TEST(Oracle, QueryHeadsOfAGroupShareTheirKeyHead) {
  HostCall call = HostCall::random(core::contiguous_problem(Dtype::float32, 1, 4, 2, 1, 1, 1), 1);
  set(call.v, {5, 7});
  EXPECT_EQ(oracle(call.problem, call.arguments()).o, (std::vector<double>{5, 5, 7, 7}));
}

TEST(Oracle, ReadsBothLayoutsAlike) {
  const auto problem = [](bool bshd) {
    return core::contiguous_problem(Dtype::float32, 2, 3, -1, 4, 5, 6, {}, bshd);
  };
  HostCall bhsd = HostCall::random(problem(false), 1);
  HostCall bshd = HostCall::random(problem(true), 2);
  const auto copy = [](const HostTensor& from, HostTensor& to, std::int64_t seq) {
    for (std::int64_t b = 0; b < 2; ++b)
      for (std::int64_t h = 0; h < 3; ++h)
        for (std::int64_t s = 0; s < seq; ++s)
          for (std::int64_t d = 0; d < 6; ++d)
            to.set(((b * seq + s) * 3 + h) * 6 + d, from.at(((b * 3 + h) * seq + s) * 6 + d));
  };
  copy(bhsd.q, bshd.q, 4);
  copy(bhsd.k, bshd.k, 5);
  copy(bhsd.v, bshd.v, 5);
  EXPECT_EQ(oracle(bhsd.problem, bhsd.arguments()).o, oracle(bshd.problem, bshd.arguments()).o);
}

TEST(Oracle, VisibleScoresThatAreAllMinusInfinityGiveNaN) {
  HostCall call = call_of(1, 2);
  set(call.q, {1});
  set(call.k, {-infinity_f64, -infinity_f64});
  const OracleResult result = oracle(call.problem, call.arguments());
  EXPECT_TRUE(std::isnan(result.o[0]));
  EXPECT_TRUE(std::isnan(result.lse[0]));
}

TEST(Plain, RoundsProbabilitiesAndOutputsToTheDtype) {
  HostCall call = HostCall::random(core::contiguous_problem(Dtype::bfloat16, 1, 1, -1, 1, 3, 1), 1);
  set(call.q, {0});
  set(call.v, {1, 0, 0});
  EXPECT_EQ(plain(call.problem, call.arguments()).o[0], 0.333984375);
  EXPECT_DOUBLE_EQ(oracle(call.problem, call.arguments()).o[0], 1.0 / 3);
}

}  // namespace
}  // namespace flashcore::cpu
