#include "profile/profile.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fake_ncu.h"
#include "profile/ncu.h"

namespace flashcore::profile {
namespace {

using gate::Verdict;
using test::FakeNcu;
using test::ncu_output;

constexpr std::chrono::seconds limit{20};

NcuRun run(const FakeNcu& ncu) {
  return run_ncu(ncu.program(), {"program", "--flag"}, metric_names(), limit);
}

std::string why_not_measured(const FakeNcu& ncu) {
  try {
    run(ncu);
  } catch (const NotMeasured& failure) {
    return failure.what();
  }
  return "it was measured";
}

ProfileRecord record_of(const std::string& output, const std::string& variant = "phase_2e") {
  ProfileRecord record;
  record.variant = variant;
  record.family = "forward_mma";
  record.problem = profile_problem();
  take_samples(parse_ncu_csv(output), record);
  record.gates = judge_profile(record);
  return record;
}

TEST(RunNcu, TakesTheSamplesAndLeavesTheClocksAlone) {
  const FakeNcu ncu("echo \"$@\" >$(dirname $0)/arguments; cat <<'NCU'\n" + ncu_output() + "NCU");
  EXPECT_EQ(run(ncu).samples.size(), 2U);
  const std::string arguments = test::read_text(ncu.file("arguments"));
  for (const char* part : {"--csv", "--page raw", "--clock-control none",
                           "--profile-from-start off", "--print-units base", "program --flag",
                           "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active"})
    EXPECT_NE(arguments.find(part), std::string::npos) << part << " in " << arguments;
}

TEST(RunNcu, AMetricThatIsNotKnownIsLeftOutAndSaid) {
  const FakeNcu ncu(
      "case \"$*\" in *dram__bytes*) echo '==ERROR== Failed to find metric dram__bytes.sum'; exit "
      "1;; "
      "esac\ncat <<'NCU'\n" +
      ncu_output() + "NCU");
  const NcuRun result = run(ncu);
  EXPECT_EQ(result.not_available, std::vector<std::string>{"dram__bytes.sum"});
  EXPECT_EQ(result.samples.size(), 2U);
}

TEST(RunNcu, WhereTheProgramNeverStartsTheProfilerEverythingIsProfiled) {
  const FakeNcu ncu(
      "case \"$*\" in *from-start*) echo '==WARNING== No kernels were profiled.'; exit 0;; "
      "esac\ncat <<'NCU'\n" +
      ncu_output() + "NCU");
  EXPECT_EQ(run(ncu).samples.size(), 2U);
}

TEST(RunNcu, WhateverGoesWrongIsAReason) {
  EXPECT_NE(why_not_measured(FakeNcu("echo '==ERROR== ERR_NVGPUCTRPERM - The user does not have "
                                     "permission'; exit 1"))
                .find("refuses its performance counters"),
            std::string::npos);
  EXPECT_EQ(why_not_measured(FakeNcu("echo oops; kill -11 $$")), "ncu ended by signal 11: oops");
  EXPECT_EQ(why_not_measured(FakeNcu("echo 'flashcore: no GPU'; echo '==ERROR== The application "
                                     "returned an error code (3).'; exit 3")),
            "ncu ended with status 3: flashcore: no GPU");
  EXPECT_EQ(why_not_measured(FakeNcu("echo '==WARNING== No kernels were profiled.'")),
            "ncu saw no kernel: ==WARNING== No kernels were profiled.");
  EXPECT_EQ(why_not_measured(FakeNcu("echo hello")),
            "what ncu printed is not its CSV: there is no header row that begins with \"ID\"");
  EXPECT_EQ(why_not_measured(FakeNcu("exit 9")), "ncu ended with status 9: it said nothing");
}

TEST(RunNcu, AHangEndsAtTheLimit) {
  const FakeNcu ncu("sleep 60");
  EXPECT_THROW(run_ncu(ncu.program(), {"program"}, {"a.sum"}, std::chrono::milliseconds(200)),
               NotMeasured);
}

TEST(Profile, TheLongestKernelIsTheOneAndTheOthersAreNamed) {
  const ProfileRecord record = record_of(ncu_output());
  EXPECT_EQ(record.kernel->name, R"(void forward<Config{.block_q=128, .name="x"}>(Params))");
  EXPECT_DOUBLE_EQ(*record.kernel->figures.at("duration_us"), 1843.2);
  EXPECT_DOUBLE_EQ(*record.kernel->figures.at("warp_efficiency_percent"), 99.75);
  EXPECT_FALSE(record.kernel->figures.at("l2_percent"));
  ASSERT_EQ(record.others.size(), 1U);
  EXPECT_EQ(record.others[0].name, "merge(Params)");
  ASSERT_EQ(record.kernel->stalls.size(), 2U);
  EXPECT_EQ(record.kernel->stalls[0].first, "wait");  // the largest first
}

TEST(Profile, GatesFollowFromTheFigures) {
  for (const auto& [name, result] : record_of(ncu_output()).gates)
    EXPECT_EQ(result.verdict, Verdict::pass) << name << ": " << result.detail;
  EXPECT_EQ(record_of(ncu_output("49.9")).gates.at("tensor_pipe").verdict, Verdict::fail);
  EXPECT_EQ(record_of(ncu_output("74.9"), "phase_3a").gates.at("tensor_pipe").verdict,
            Verdict::fail);
  EXPECT_EQ(record_of(ncu_output("61.5", "30.3")).gates.at("warp_efficiency").verdict,
            Verdict::fail);
  EXPECT_EQ(record_of(ncu_output("61.5", "32", "8")).gates.at("local_memory").verdict,
            Verdict::fail);
}

TEST(Profile, AGateIsLeftOpenWhereItsFigureOrItsThresholdIsMissing) {
  EXPECT_EQ(record_of(ncu_output("n/a")).gates.at("tensor_pipe").verdict, Verdict::skipped);
  EXPECT_EQ(record_of(ncu_output("10"), "v12_baseline").gates.at("tensor_pipe").verdict,
            Verdict::skipped);
}

TEST(Profile, OtherShapesAreMeasuredAndNotJudged) {
  ProfileRecord record = record_of(ncu_output("10"));
  record.problem = core::contiguous_problem(core::Dtype::float16, 1, 8, 8, 512, 512, 64);
  for (const auto& [name, result] : judge_profile(record))
    EXPECT_EQ(result.verdict, Verdict::skipped) << name;
}

TEST(Profile, SurvivesJsonAndBack) {
  ProfileRecord record = record_of(ncu_output());
  record.not_available = {"a.sum"};
  const nlohmann::json once = profile_to_json(record);
  EXPECT_EQ(profile_to_json(profile_from_json(once, "profiles[0]")), once);
  ProfileRecord empty;
  empty.variant = "phase_2e";
  empty.problem = profile_problem();
  empty.not_measured = "no ncu";
  const nlohmann::json none = profile_to_json(empty);
  EXPECT_EQ(profile_to_json(profile_from_json(none, "profiles[0]")), none);
}

TEST(Profile, AVerdictThatTheFiguresDoNotBearOutFails) {
  ProfileRecord record = record_of(ncu_output("20"));
  record.gates["tensor_pipe"].verdict = Verdict::pass;
  EXPECT_EQ(audit_profile(record).gates.at("tensor_pipe").verdict, Verdict::fail);
  EXPECT_EQ(audit_profile(record).gates.at("local_memory").verdict, Verdict::pass);
  record.gates.erase("local_memory");
  EXPECT_EQ(audit_profile(record).gates.at("local_memory").verdict, Verdict::fail);
}

TEST(Metrics, EveryFigureHasAMeaning) {
  for (const Figure& each : figures())
    for (const double value : {0.0, 1.0, 60.0, 99.0})
      EXPECT_NE(meaning_of(each.key, value), "") << each.key << " " << value;
}

}  // namespace
}  // namespace flashcore::profile
