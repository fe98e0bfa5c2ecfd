#include "bench/shape.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "gate/rules.h"

namespace flashcore::bench {
namespace {

std::string message_for(std::string_view text) {
  try {
    parse_shape(text);
  } catch (const core::Error& error) {
    EXPECT_EQ(error.status(), core::Status::invalid_argument);
    return error.what();
  }
  return "accepted";
}

TEST(ParseShape, ReadsEveryKeyInAnyOrder) {
  const Shape shape = parse_shape("d=128,s=7,h=8,b=2,skv=0,hkv=4");
  EXPECT_EQ(shape.batch, 2);
  EXPECT_EQ(shape.heads_q, 8);
  EXPECT_EQ(shape.heads_kv, 4);
  EXPECT_EQ(shape.seq_q, 7);
  EXPECT_EQ(shape.seq_kv, 0);
  EXPECT_EQ(shape.head_dim, 128);
}

TEST(ParseShape, NamesTheKeyAndTheValueThatIsWrong) {
  EXPECT_EQ(message_for("b=1,h=8,s=x,d=64"), "shape: s is 'x', which is not a whole number");
  EXPECT_EQ(message_for("b=1,h=8,s=,d=64"), "shape: s is '', which is not a whole number");
  EXPECT_EQ(message_for("b=1,h=8,s=5.5,d=64"), "shape: s is '5.5', which is not a whole number");
  EXPECT_EQ(message_for("b=0,h=8,s=1,d=64"), "shape: b is 0, which is not between 1 and 16777216");
  EXPECT_EQ(message_for("b=1,h=8,s=-3,d=64"),
            "shape: s is -3, which is not between 1 and 16777216");
  EXPECT_EQ(message_for("b=1,h=8,s=99999999999999999999,d=64"),
            "shape: s is '99999999999999999999', which is not a whole number");
  EXPECT_EQ(message_for("b=1,h=8,s=512,d=64,hkv=3"), "shape: h 8 is not a multiple of hkv 3");
  EXPECT_EQ(
      message_for("b=1,h=8,s=512,d=64,q=3"),
      "shape: unknown key 'q' in 'b=1,h=8,s=512,d=64,q=3'; the keys are b, h, s, d, hkv, skv");
  EXPECT_EQ(message_for("b=1,h=8,b=1,s=512,d=64"),
            "shape: b is given twice in 'b=1,h=8,b=1,s=512,d=64'");
  EXPECT_EQ(message_for("b=1,h=8,s=512"),
            "shape: d is missing in 'b=1,h=8,s=512'; an example is b=1,h=8,s=512,d=64");
  EXPECT_NE(message_for(""), "accepted");
  EXPECT_NE(message_for("b=1,h=8,s=512,d=64,"), "accepted");
  EXPECT_NE(message_for(",b=1,h=8,s=512,d=64"), "accepted");
  EXPECT_NE(message_for("b=1 h=8 s=512 d=64"), "accepted");
}

TEST(ParseShape, RefusesATensorThatNoMachineHolds) {
  EXPECT_EQ(message_for("b=16777216,h=16777216,s=16777216,d=16777216"),
            "shape: a tensor of 7.92e+28 elements, the most is 17179869184");
}

TEST(ToString, IsWhatParseShapeReads) {
  for (const char* text : {"b=1,h=8,s=512,d=64", "b=2,h=8,s=7,d=64,hkv=2,skv=9"}) {
    const core::Problem problem = to_problem(parse_shape(text), core::Dtype::float16, {});
    EXPECT_EQ(to_string(problem), text);
  }
}

TEST(Suites, MissionIsTheMissionShape) {
  const auto problems = suite_problems("mission", core::Dtype::float16, {});
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems.front(), gate::mission_problem());
}

TEST(Suites, SweepHolds16kTokensOfWidth2048InEveryCell) {
  const auto problems = suite_problems("sweep", core::Dtype::bfloat16, {});
  EXPECT_EQ(problems.size(), 3U * 6U * 2U);
  for (const core::Problem& problem : problems) {
    EXPECT_EQ(problem.batch * problem.seq_q, 16384);
    EXPECT_EQ(problem.heads_q * problem.head_dim, 2048);
    EXPECT_EQ(problem.dtype, core::Dtype::bfloat16);
  }
}

TEST(Suites, AddUpAndRefuseUnknownNames) {
  EXPECT_EQ(suite_problems("mission,small", core::Dtype::float16, {}).size(), 7U);
  EXPECT_THROW(suite_problems("mission,large", core::Dtype::float16, {}), core::Error);
  EXPECT_THROW(suite_problems("", core::Dtype::float16, {}), core::Error);
}

}  // namespace
}  // namespace flashcore::bench
