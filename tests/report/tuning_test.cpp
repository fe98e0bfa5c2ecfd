// A journal as pictures and a page.
#include "report/tuning.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/command.h"
#include "support/temp_dir.h"

namespace flashcore::report {
namespace {

using nlohmann::json;
using test::TempDir;
using tune::Cause;
using tune::JournalRun;
using tune::Outcome;

const tune::Subject of_a_journal{.family = "forward_mma",
                                 .problem = {{"text", "fp16 b=1 h=8 s=512 d=64"}},
                                 .gpu = "Some <GPU>",
                                 .source_hash = "1"};

/// Two fields, one of which is the same for all that passed.
JournalRun example() {
  JournalRun run{.id = 3,
                 .subject = of_a_journal,
                 .search = {{"strategy", "evolve"}, {"seed", 7}, {"space", 99}},
                 .provenance = {{"date", "2026-11-22"}},
                 .end = nullptr,
                 .rows = {}};
  const auto add = [&](const char* config, Outcome outcome) {
    run.rows.push_back({.config = config, .generation = 0, .outcome = std::move(outcome)});
  };
  add("stages=2,warps=4", {.latency_us = 10});
  add("stages=3,warps=4", {.latency_us = 5});
  add("stages=4,warps=8", {.cause = Cause::crashed});
  add("stages=4,warps=4", {.latency_us = 20});
  add("stages=1,warps=4", {.cause = Cause::over_budget});
  run.rows.push_back({.config = "stages=1,warps=1", .generation = 1, .outcome = {}});
  return run;
}

TEST(TuningPictures, FitnessIsWorkedOutAsTheSearchDid) {
  const auto picture = fitness_picture(example());
  ASSERT_TRUE(picture);
  EXPECT_EQ(picture->name, "run3_fitness");
  EXPECT_NE(picture->script.find("$passed << EOD\n1 1\n2 2\n4 0.5\nEOD"), std::string::npos)
      << picture->script;
  EXPECT_NE(picture->script.find("$best << EOD\n1 1\n2 2\n3 2\n4 2\n5 2\n6 2\nEOD"),
            std::string::npos)
      << picture->script;
}

TEST(TuningPictures, OnlyFieldsThatDifferHaveAPanel) {
  const auto picture = field_picture(example());
  ASSERT_TRUE(picture);
  EXPECT_NE(picture->script.find("'stages'"), std::string::npos);
  EXPECT_EQ(picture->script.find("'warps'"), std::string::npos);
  EXPECT_NE(picture->script.find("'2' 0, '3' 1, '4' 2"), std::string::npos) << picture->script;
}

TEST(TuningPictures, FailuresAreCountedByCause) {
  const auto picture = failure_picture(example());
  ASSERT_TRUE(picture);
  EXPECT_NE(picture->script.find("crashed 1\n"), std::string::npos);
  EXPECT_NE(picture->script.find("over_budget 1\n"), std::string::npos);
}

TEST(TuningPictures, WhatThereIsNothingOfIsNotDrawn) {
  JournalRun run = example();
  run.rows = {{.config = "stages=1", .generation = 0, .outcome = Outcome{.cause = Cause::hung}}};
  EXPECT_FALSE(fitness_picture(run));
  EXPECT_FALSE(field_picture(run));
  EXPECT_TRUE(failure_picture(run));
  run.rows.clear();
  EXPECT_FALSE(failure_picture(run));
}

gate::Summary one_sample(double us) {
  return {.median = us, .min = us, .max = us, .p25 = us, .p75 = us, .samples = 1};
}

gate::CaseRecord finalist(const char* name) {
  gate::CaseRecord record;
  record.variant = name;
  record.backend = "cuda";
  record.family = "forward_mma";
  record.problem = core::contiguous_problem(core::Dtype::float16, 1, 8, -1, 512, -1, 64);
  record.timing =
      gate::Timing{.cold = one_sample(5), .warm = one_sample(4), .eager = one_sample(9)};
  return record;
}

TEST(TuningReport, ThePageHoldsEverythingAndRefersToNothing) {
  const auto gnuplot = find_gnuplot();
  if (gnuplot.empty()) GTEST_SKIP() << "gnuplot is not here";
  JournalRun run = example();
  run.end = {{"stop", "generations"},
             {"marks", {{"peer", "torch_sdpa flash"}, {"peer_us", 9.5}, {"roofline_us", 1.0}}},
             {"finals",
              {{"finalists",
                {{{"config", "stages=3,warps=4"},
                  {"max_error", 0},
                  {"record", gate::case_to_json(finalist("finalist 1"))}}}},
               {"winner", 0},
               {"reason", "50% faster than the default"}}}};
  const TempDir folder;
  const Drawn drawn = write_tuning_report({run, example()}, gnuplot, folder.file("out"));
  EXPECT_EQ(drawn.files.size(), 7U);
  const std::string page = test::read_text(drawn.files.back());
  for (const char* text : {"Run 3", "evolve, seed 7", "99 Configs", "6, of which 3 passed",
                           "not finished", "torch_sdpa flash, 9.50 us",
                           "50% faster than the default", "stages=3,warps=4", "finalist 1, winner",
                           "Some &lt;GPU&gt;", "2026-11-22", "prefers-color-scheme: dark", "<svg"})
    EXPECT_NE(page.find(text), std::string::npos) << text;
  for (const char* reference : {"src=", "<link", "@import", "url(http"})
    EXPECT_EQ(page.find(reference), std::string::npos) << reference;
}

TEST(TuningReport, TheCommandTellsAJournalFromResults) {
  if (find_gnuplot().empty()) GTEST_SKIP() << "gnuplot is not here";
  const TempDir folder;
  const std::string path = folder.file("j");
  {
    tune::Journal journal(path);
    const auto run = journal.begin(of_a_journal, {{"strategy", "random"}}, json::object());
    journal.record(run, "stages=2", 0, {.latency_us = 3});
  }
  const auto result = test::run_command({"report", path, "--out", folder.file("out")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("run1_fitness.svg"), std::string::npos) << result.out;
  const auto mixed = test::run_command({"report", path, "x.json", "--out", folder.file("out2")});
  EXPECT_EQ(mixed.exit_code, 2);
  EXPECT_NE(mixed.err.find("is a journal, and reported alone"), std::string::npos) << mixed.err;
}

}  // namespace
}  // namespace flashcore::report
