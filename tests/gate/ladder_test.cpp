#include "gate/ladder.h"

#include <gtest/gtest.h>

#include "dispatch/variants.h"
#include "gate/audit.h"
#include "gate/latency.h"
#include "gate/rules.h"

namespace flashcore::gate {
namespace {

Summary all(double value) {
  return {value, value, value, value, value, 15};
}

/// A case at the mission shape that takes so many times what flash takes, 10 us.
CaseRecord rung(const char* variant, double multiple, double noise = 0.01) {
  CaseRecord record;
  record.variant = variant;
  record.backend = "cuda";
  record.problem = mission_problem();
  record.timing = Timing{all(10 * multiple), all(10 * multiple), all(10 * multiple)};
  record.roofline = {.bound_us = 0.5, .fraction = 0.01};
  record.peers.push_back({.name = "torch_sdpa",
                          .backend = "flash",
                          .version = "2.11",
                          .timing = Timing{all(10), all(10), all(10)},
                          .comparison = PeerComparison{all(multiple), noise},
                          .not_measured = ""});
  record.gates["ladder"] = judge_ladder(record);
  record.gates["latency"] = judge_latency(record, 0, {});
  return record;
}

Verdict verdict(const CaseRecord& record, const char* gate) {
  return record.gates.at(gate).verdict;
}

TEST(Ladder, ARungIsHeldToItsLimit) {
  EXPECT_EQ(verdict(rung("phase_2d", 1.3), "ladder"), Verdict::pass);
  EXPECT_EQ(verdict(rung("phase_2d", 1.5), "ladder"), Verdict::fail);
  EXPECT_EQ(verdict(rung("phase_2d", 1.399, 0.02), "ladder"), Verdict::inconclusive);
  EXPECT_EQ(verdict(rung("phase_2e", 0.71), "ladder"), Verdict::fail);
}

TEST(Ladder, TheFootHasNoLimit) {
  EXPECT_EQ(verdict(rung("v12_baseline", 13), "ladder"), Verdict::skipped);
}

TEST(Ladder, WithoutFlashNothingIsJudgedAndTheReasonIsSaid) {
  CaseRecord record = rung("phase_2d", 1.3);
  record.peers[0].timing.reset();
  record.peers[0].comparison.reset();
  record.peers[0].not_measured = "no torch here";
  const GateResult result = judge_ladder(record);
  EXPECT_EQ(result.verdict, Verdict::skipped);
  EXPECT_NE(result.detail.find("no torch here"), std::string::npos) << result.detail;
}

TEST(Ladder, ARungDeclaredSlowerThanSdpaIsNotHeldToTheMissionsTarget) {
  EXPECT_EQ(verdict(rung("phase_2b", 6), "latency"), Verdict::pass);  // 60 us
  EXPECT_EQ(verdict(rung("phase_2e", 6), "latency"), Verdict::fail);  // the last rung is
  CaseRecord alone = rung("phase_2b", 6);
  alone.gates.erase("ladder");  // and without the ladder, every variant is
  EXPECT_EQ(judge_latency(alone, 0, {}).verdict, Verdict::fail);
}

TEST(Ladder, TheAuditHoldsARecordToTheRule) {
  const auto audited = [](const CaseRecord& record) {
    return audit(record, {}).gates.at("ladder").verdict;
  };
  EXPECT_EQ(audited(rung("phase_2d", 1.3)), Verdict::pass);
  EXPECT_EQ(audited(rung("phase_2d", 1.5)), Verdict::fail);
  CaseRecord loosened = rung("phase_2d", 1.5);
  loosened.gates["ladder"] = judge({{"multiple_of_flash", 1.5, 2, 0.01}}, "");
  EXPECT_EQ(audited(loosened), Verdict::fail);
  CaseRecord doctored = rung("phase_2d", 1.5);
  doctored.gates["ladder"] = judge({{"multiple_of_flash", 1.2, 1.4, 0.01}}, "");
  EXPECT_EQ(audited(doctored), Verdict::fail);
  CaseRecord hidden = rung("phase_2d", 1.5);
  hidden.gates["ladder"] = skipped("nothing to see");
  EXPECT_EQ(audited(hidden), Verdict::fail);
}

TEST(Ladder, ACaseThatIsNoRungNeedsNoLadderGate) {
  CaseRecord record = rung("phase_2d", 1.3);
  record.gates.erase("ladder");
  EXPECT_FALSE(audit(record, {}).gates.contains("ladder"));
  const std::vector<std::string> required{"ladder"};
  EXPECT_EQ(audit(record, required).gates.at("ladder").verdict, Verdict::fail);
}

TEST(Rungs, GetFasterUpwardsAndEveryNameIsFound) {
  double last = 1e9;
  for (const dispatch::Rung& each : dispatch::ladder()) {
    EXPECT_EQ(dispatch::find_rung(each.variant), &each);
    if (each.limit > 0) {
      EXPECT_LT(each.limit, last);
      last = each.limit;
    }
  }
  EXPECT_EQ(dispatch::find_rung("cpu"), nullptr);
}

}  // namespace
}  // namespace flashcore::gate
