#include "gate/gate.h"

#include <gtest/gtest.h>

#include <limits>

namespace flashcore::gate {
namespace {

TEST(Check, PassesAtTheLimitAndFailsAboveIt) {
  EXPECT_EQ(verdict_of(Check{.what = "x", .measured = 28, .limit = 28}), Verdict::pass);
  EXPECT_EQ(verdict_of(Check{.what = "x", .measured = 28.1, .limit = 28}), Verdict::fail);
}

TEST(Check, IsInconclusiveWhereTheNoiseSpansTheLimit) {
  const auto at = [](double measured) {
    return verdict_of(Check{.what = "x", .measured = measured, .limit = 28, .noise = 0.05});
  };
  EXPECT_EQ(at(20), Verdict::pass);
  EXPECT_EQ(at(27.5), Verdict::inconclusive);
  EXPECT_EQ(at(28.5), Verdict::inconclusive);
  EXPECT_EQ(at(31), Verdict::fail);
}

TEST(Check, WhatIsNotANumberFails) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(verdict_of(Check{.what = "x", .measured = nan, .limit = 1}), Verdict::fail);
  EXPECT_EQ(verdict_of(Check{.what = "x", .measured = 0, .limit = nan}), Verdict::fail);
  EXPECT_EQ(verdict_of(Check{.what = "x", .measured = 0, .limit = infinity}), Verdict::fail);
  EXPECT_EQ(verdict_of(Check{.what = "x", .measured = 0, .limit = 1, .noise = nan}), Verdict::fail);
}

TEST(Verdict, OfSeveralChecksIsTheWorstAndOfNoneIsFail) {
  const Check good{.what = "good", .measured = 0, .limit = 0};
  const Check bad{.what = "bad", .measured = 1, .limit = 0};
  const Check unclear{.what = "unclear", .measured = 1, .limit = 1, .noise = 0.1};
  EXPECT_EQ(verdict_of(std::vector{good}), Verdict::pass);
  EXPECT_EQ(verdict_of(std::vector{good, unclear}), Verdict::inconclusive);
  EXPECT_EQ(verdict_of(std::vector{unclear, bad, good}), Verdict::fail);
  EXPECT_EQ(verdict_of(std::vector<Check>{}), Verdict::fail);
}

TEST(Judge, NamesTheCheckThatIsOverAndBothNumbers) {
  const GateResult result =
      judge({{.what = "cold_us", .measured = 31, .limit = 28}}, "three rounds");
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_EQ(result.detail, "cold_us 31 is over the limit 28; three rounds");
}

TEST(Judge, NamesTheNoiseThatMadeItInconclusive) {
  const GateResult result =
      judge({{.what = "cold_us", .measured = 28, .limit = 28, .noise = 0.042}}, "");
  EXPECT_EQ(result.verdict, Verdict::inconclusive);
  EXPECT_EQ(result.detail, "cold_us 28 ± 4.2% spans the limit 28");
}

}  // namespace
}  // namespace flashcore::gate
