#include "report/report.h"

#include <gtest/gtest.h>

#include "profile/fake_ncu.h"
#include "report/page.h"
#include "report/pictures.h"
#include "support/message_of.h"

namespace flashcore::report {
namespace {

gate::Summary all(double value) {
  return {value, value, value, value, value, 7};
}

/// A case that takes `us`, beside a flash that takes `flash_us`.
gate::CaseRecord timed(const char* variant, const core::Problem& problem, double us,
                       double flash_us) {
  gate::CaseRecord record;
  record.variant = variant;
  record.backend = "cuda";
  record.problem = problem;
  record.timing = gate::Timing{all(us), all(us), all(us)};
  record.roofline = {.bound_us = problem.flops() / 1e9,  // 1000 TFLOP/s
                     .fraction = 0.5,
                     .peak_tflops = 1000,
                     .peak_gb_per_s = 3350,
                     .measured_tflops = 700,
                     .measured_gb_per_s = 2400};
  record.peers.push_back({.name = "torch_sdpa",
                          .backend = "flash",
                          .version = "2.11",
                          .timing = gate::Timing{all(flash_us), all(flash_us), all(flash_us)},
                          .comparison = gate::PeerComparison{all(us / flash_us), 0.01},
                          .not_measured = ""});
  return record;
}

core::Problem mission() {
  return core::contiguous_problem(core::Dtype::float16, 1, 8, 8, 512, 512, 64);
}

std::vector<gate::CaseRecord> sweep() {
  std::vector<gate::CaseRecord> cases;
  for (const auto kind : {core::MaskKind::none, core::MaskKind::causal_top_left})
    for (std::int64_t seq = 512; seq <= 4096; seq *= 2)
      cases.push_back(timed("phase_2e",
                            core::contiguous_problem(core::Dtype::float16, 16384 / seq, 32, 32, seq,
                                                     seq, 64, {kind, -1, -1}),
                            100, 120));
  return cases;
}

TEST(Pictures, AreDrawnOfWhatTheResultsHold) {
  const std::vector<gate::CaseRecord> rungs{timed("v12_baseline", mission(), 134, 10),
                                            timed("phase_2d", mission(), 13, 10)};
  const auto ladder = ladder_picture(rungs);
  ASSERT_TRUE(ladder);
  EXPECT_NE(ladder->script.find("'v12_baseline' 0, 'phase_2d' 1"), std::string::npos)
      << ladder->script;
  EXPECT_NE(ladder->script.find("0 13.4\n1 1.3\n"), std::string::npos) << ladder->script;
  EXPECT_NE(ladder->script.find("$limits << EOD\n1 1.4\n"), std::string::npos) << ladder->script;
  const auto roofline = roofline_picture(rungs, {});
  ASSERT_TRUE(roofline);
  EXPECT_NE(roofline->script.find("measured 700 TFLOP/s, 2.40 TB/s"), std::string::npos);
  EXPECT_FALSE(sweep_picture(rungs));
  EXPECT_FALSE(latency_picture(rungs)) << "one short call";
  EXPECT_FALSE(stall_picture({}));
  const auto lengths = sweep_picture(sweep());
  ASSERT_TRUE(lengths);
  EXPECT_NE(lengths->script.find("layout 2,1"), std::string::npos) << lengths->script;
}

core::Problem causal_mission() {
  auto problem = mission();
  problem.mask.kind = core::MaskKind::causal_top_left;
  return problem;
}

TEST(Pictures, ShortCallsHaveALineEachAndLongOnesNone) {
  auto cases = sweep();  // of 100 us
  cases.push_back(timed("phase_3a", mission(), 5, 10));
  cases.push_back(timed("phase_3a", causal_mission(), 6, 11));
  const auto latency = latency_picture(cases);
  ASSERT_TRUE(latency);
  for (const char* part : {"set ytics ('fp16 b=1 h=8 s=512 d=64' 0, 'fp16 b=1 h=8 s=512 d=64 "
                           "mask=causal_top_left' 1)",
                           "EOD\n0 5\n1 6\n", "EOD\n0 10\n1 11\n"})
    EXPECT_NE(latency->script.find(part), std::string::npos) << latency->script;
}

TEST(Pictures, NothingOnAGpuIsNoPicture) {
  std::vector<gate::CaseRecord> cases{timed("cpu", mission(), 3000, 4000)};
  cases[0].backend = "cpu";
  EXPECT_FALSE(roofline_picture(cases, {}));
  EXPECT_FALSE(ladder_picture(cases));
  EXPECT_FALSE(latency_picture(cases));
}

TEST(Plot, TextIsQuotedSoThatGnuplotTakesItAsText) {
  EXPECT_EQ(quoted("SDPA's\nflash"), "'SDPA''s flash'");
}

TEST(Page, TextIsEscaped) {
  EXPECT_EQ(escaped("forward<C> & \"x\""), "forward&lt;C&gt; &amp; &quot;x&quot;");
}

TEST(Report, WritesPicturesAndAPageThatNeedsNoOtherFile) {
  if (find_gnuplot().empty()) GTEST_SKIP() << "gnuplot is not installed";
  const test::TempDir directory;
  Results results;
  results.cases = sweep();
  results.cases.push_back(timed("phase_2d", mission(), 13, 10));
  results.cases.push_back(timed("phase_2d", causal_mission(), 12, 10));
  profile::ProfileRecord profiled;
  profiled.variant = "phase_2e";
  profiled.problem = profile::profile_problem();
  profile::take_samples(profile::parse_ncu_csv(test::ncu_output()), profiled);
  results.profiles.push_back(profiled);
  const std::filesystem::path folder = directory.path() / "made" / "here's one";
  const Drawn drawn = write_report(results, find_gnuplot(), folder);
  EXPECT_TRUE(drawn.missing.empty());
  ASSERT_EQ(drawn.files.size(), 6U);
  const std::string page = test::read_text(folder / "index.html");
  for (const char* part : {"<svg", "Roofline", "The ladder", "phase_2e", "tensor pipe active",
                           "Throughput against sequence length", "What warps wait for",
                           "forward&lt;Config", "geometric mean"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  EXPECT_EQ(page.find("<img"), std::string::npos);
  EXPECT_EQ(page.find("id='gpDot'"), std::string::npos);
  EXPECT_NE(page.find("id='ladder_gpDot'"), std::string::npos);
  EXPECT_EQ(page.find("<?xml"), std::string::npos);
}

TEST(Report, AFolderThatCannotBeMadeIsNamed) {
  const test::TempDir directory;
  test::write_text(directory.file("taken"), "");
  const std::string message =
      test::message_of([&] { write_report({}, "gnuplot", directory.path() / "taken" / "out"); });
  EXPECT_NE(message.find("taken/out cannot be made"), std::string::npos) << message;
}

TEST(Report, WhatGnuplotSaysIsPassedOn) {
  const test::TempDir directory;
  const std::string gnuplot = directory.file("gnuplot");
  test::write_text(gnuplot, "#!/bin/sh\necho 'line 3: undefined function'\nexit 1\n");
  std::filesystem::permissions(gnuplot, std::filesystem::perms::owner_all);
  Results results;
  results.cases = sweep();
  const std::string message =
      test::message_of([&] { write_report(results, gnuplot, directory.path() / "out"); });
  EXPECT_NE(message.find("line 3: undefined function"), std::string::npos) << message;
  test::write_text(gnuplot, "#!/bin/sh\nexit 0\n");
  EXPECT_NE(test::message_of([&] {
              write_report(results, gnuplot, directory.path() / "out");
            }).find("left no picture"),
            std::string::npos);
}

TEST(Report, ReadsBothKindsOfFilesAndNamesTheOneThatIsMalformed) {
  const test::TempDir directory;
  const std::string bad = directory.file("bad.json");
  test::write_text(bad, R"({"schema": 1, "profiles": [{"variant": 3}]})");
  EXPECT_EQ(test::message_of([&] { read_files({bad}); }),
            bad + ": profiles[0].variant: expected a string, found 3");
  test::write_text(bad, "not json");
  EXPECT_EQ(test::message_of([&] { read_files({bad}); }), bad + ": not a JSON document");
  const Results results =
      read_files({FLASHCORE_SOURCE_DIR "/docs/data/2026-11-22_h100_v12_baseline_small.json"});
  EXPECT_EQ(results.cases.size(), 7U);
  EXPECT_TRUE(ladder_picture(results.cases));  // a record from before comparisons were kept
}

}  // namespace
}  // namespace flashcore::report
