#include "gate/latency.h"

#include <gtest/gtest.h>

#include "gate/rules.h"

namespace flashcore::gate {
namespace {

Summary around(double us) {
  return {.median = us,
          .min = 0.98 * us,
          .max = 1.1 * us,
          .p25 = 0.99 * us,
          .p75 = 1.02 * us,
          .samples = 30};
}

CaseRecord measured_case(const char* backend, double cold_us) {
  CaseRecord record;
  record.variant = "some";
  record.backend = backend;
  record.problem = mission_problem();
  record.timing = Timing{around(cold_us), around(cold_us), around(2 * cold_us)};
  record.noise = 0.02;
  record.roofline = {.bound_us = 1, .fraction = 1 / cold_us};
  return record;
}

RatioRecord ratio_of(double ratio, double noise) {
  return {.peer = "torch_sdpa flash", .ratio = around(ratio), .noise = noise};
}

TEST(Latency, MissionShapeOnAGpuIsHeldTo28Microseconds) {
  EXPECT_EQ(judge_latency(measured_case("cuda", 20), 0, {}).verdict, Verdict::pass);
  EXPECT_EQ(judge_latency(measured_case("cuda", 28.2), 0, {}).verdict, Verdict::inconclusive);
  EXPECT_EQ(judge_latency(measured_case("cuda", 600), 0, {}).verdict, Verdict::fail);
}

TEST(Latency, RatioOnAGpuIsInformationUnlessATargetIsGiven) {
  CaseRecord record = measured_case("cuda", 20);
  record.best_peer = ratio_of(2, 0.01);
  EXPECT_EQ(judge_latency(record, 0, {}).verdict, Verdict::pass);
  EXPECT_NE(judge_latency(record, 0, {}).detail.find("2.00 times torch_sdpa flash"),
            std::string::npos);
  EXPECT_EQ(judge_latency(record, 0, {.cold_us = {}, .ratio = 1.0}).verdict, Verdict::fail);
}

TEST(Latency, OtherShapesHaveNoTargetAndAreSkipped) {
  CaseRecord record = measured_case("cuda", 600);
  record.problem = core::contiguous_problem(core::Dtype::float16, 1, 8, 8, 256, 256, 64);
  EXPECT_EQ(judge_latency(record, 0, {}).verdict, Verdict::skipped);
  EXPECT_EQ(judge_latency(record, 0, {.cold_us = 500, .ratio = {}}).verdict, Verdict::fail);
}

TEST(Latency, CpuIsHeldToTorchWhereItWasMeasured) {
  CaseRecord record = measured_case("cpu", 3000);
  EXPECT_EQ(judge_latency(record, 0, {}).verdict, Verdict::skipped);
  record.best_peer = ratio_of(0.8, 0.05);
  EXPECT_EQ(judge_latency(record, 0, {}).verdict, Verdict::pass);
  record.best_peer = ratio_of(0.98, 0.05);
  EXPECT_EQ(judge_latency(record, 0, {}).verdict, Verdict::inconclusive);
  record.best_peer = ratio_of(1.3, 0.05);
  EXPECT_EQ(judge_latency(record, 0, {}).verdict, Verdict::fail);
}

TEST(Latency, ATimeAboveTheRooflineFailsEvenWithoutATarget) {
  CaseRecord record = measured_case("cpu", 3000);
  record.roofline->fraction = 1.2;
  EXPECT_EQ(judge_latency(record, 0, {}).verdict, Verdict::fail);
}

TEST(Latency, ATimedOutputThatIsWrongFailsHoweverFast) {
  EXPECT_EQ(judge_latency(measured_case("cuda", 2), 1, {}).verdict, Verdict::fail);
}

TEST(Latency, SaysWhyAPeerIsMissing) {
  CaseRecord record = measured_case("cpu", 3000);
  record.peers.push_back({.name = "torch_sdpa",
                          .backend = "cpu",
                          .version = "",
                          .timing = {},
                          .comparison = {},
                          .not_measured = "no torch here"});
  const GateResult result = judge_latency(record, 0, {});
  EXPECT_EQ(result.verdict, Verdict::skipped);
  EXPECT_NE(result.detail.find("no torch here"), std::string::npos) << result.detail;
}

TEST(Latency, NothingTimedIsSkipped) {
  CaseRecord record = measured_case("cpu", 3000);
  record.timing.reset();
  EXPECT_EQ(judge_latency(record, 0, {}).verdict, Verdict::skipped);
}

}  // namespace
}  // namespace flashcore::gate
