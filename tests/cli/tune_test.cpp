#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/tune_flags.h"
#include "support/command.h"
#include "support/message_of.h"
#include "support/temp_dir.h"
#include "tune/journal.h"
#include "tune/landscape.h"

namespace flashcore {
namespace {

using nlohmann::json;
using test::message_of;
using test::run_command;
using test::TempDir;

class TuneCommand : public ::testing::Test {
 protected:
  TuneCommand() {
    test::write_text(table_, to_text(tune::test::table_of_space(tune::test::hilly_space(),
                                                                tune::test::mostly_crashing)));
  }

  TempDir folder_;
  std::string table_ = folder_.file("table.jsonl");
};

TEST_F(TuneCommand, ASimulationSaysALineForEachGenerationAndTheBestAtTheEnd) {
  const std::string file = folder_.file("result.json");
  const auto result = run_command({"tune", "--simulate", table_, "--seed", "5", "--json", file});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 10) << result.err;
  EXPECT_NE(result.err.find("generation 10: 222 tried, best "), std::string::npos) << result.err;
  EXPECT_NE(result.err.find(" crashed"), std::string::npos) << result.err;
  EXPECT_NE(result.out.find("ended by: generations"), std::string::npos) << result.out;
  const json document = json::parse(test::read_text(file));
  EXPECT_EQ(document["evaluations"].size(), 222U);
  const json& best = document["evaluations"][document["best"].get<std::size_t>()];
  EXPECT_EQ(best["cause"], "none");
  EXPECT_NE(result.out.find(best["config"].get<std::string>()), std::string::npos);
}

TEST_F(TuneCommand, TheSameSeedSaysTheSame) {
  const std::vector<std::string> arguments{"tune", "--simulate", table_, "--strategy", "anneal"};
  EXPECT_EQ(run_command(arguments).out, run_command(arguments).out);
}

TEST_F(TuneCommand, ManySeedsCompareTheStrategiesAtEqualBudgets) {
  const auto result = run_command({"tune", "--simulate", table_, "--seeds", "3"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("evolve"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("random"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("25%"), std::string::npos) << result.out;
}

TEST_F(TuneCommand, ABlindStartIsAnotherSearchThatItsSeedRepeats) {
  const std::vector<std::string> known{"tune", "--simulate", table_, "--seed", "5"};
  auto blind = known;
  blind.emplace_back("--blind-start");
  const auto result = run_command(blind);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(run_command(blind).out, result.out);
  const std::string family_start = tune::test::config_of(64, 64, 4, 2, 1).to_string();
  const auto start_line = [](const std::string& out) {
    const auto begin = out.find("\nstart") + 1;
    return out.substr(begin, out.find('\n', begin) - begin);
  };
  EXPECT_NE(start_line(run_command(known).out).find(family_start), std::string::npos);
  EXPECT_EQ(start_line(result.out).find(family_start), std::string::npos) << result.out;

  const auto study = [&](std::vector<std::string> extra) {
    extra.insert(extra.begin(), {"tune", "--simulate", table_, "--seeds", "3"});
    return run_command(extra).out;
  };
  EXPECT_NE(study({"--blind-start"}), study({}));
}

TEST_F(TuneCommand, ABlindStartIsNotResumedFromTheFamilys) {
  const std::string journal = folder_.file("j");
  const auto arguments = [&](const char* flag) {
    return std::vector<std::string>{"tune", "--simulate", table_, "--journal", journal, flag};
  };
  EXPECT_EQ(run_command(arguments("--blind-start")).exit_code, 0);
  EXPECT_EQ(run_command(arguments("--resume")).exit_code, 0);
  const auto runs = tune::read_journal(journal);
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_NE(runs[0].search["start"], runs[1].search["start"]);
}

TEST_F(TuneCommand, ATableOfFailuresIsNoSuccess) {
  const std::string path = folder_.file("crashes.jsonl");
  test::write_text(
      path, to_text(tune::test::table_of_space(tune::test::hilly_space(),
                                               [](const auto&) { return tune::test::crashed(); })));
  const auto result = run_command({"tune", "--simulate", path});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.out.find("no Config passed its gates"), std::string::npos) << result.out;
}

TEST_F(TuneCommand, BadInputIsNamed) {
  const auto expect_usage = [](std::vector<std::string> arguments, const char* message) {
    arguments.insert(arguments.begin(), "tune");
    const auto result = run_command(arguments);
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
  };
  expect_usage({"--simulate", "/nonexistent"}, "/nonexistent: cannot be read");
  expect_usage({"--simulate", table_, "--strategy", "luck"}, "'luck' is none of evolve");
  expect_usage({"--simulate", table_, "--weights", "sped=1"}, "weights: 'sped=1'");
  expect_usage({"--simulate", table_, "--json", "/nonexistent/a"}, "/nonexistent/a");
  expect_usage({"--family", "forward_mma", "--blind-start"}, "--blind-start requires --simulate");
}

TEST_F(TuneCommand, AJournaledSearchIsFinishedOnceAndSaysTheSame) {
  const std::string journal = folder_.file("j");
  const std::vector<std::string> arguments{"tune", "--simulate", table_, "--journal", journal};
  const auto plain = run_command({"tune", "--simulate", table_});
  EXPECT_EQ(run_command(arguments).out, plain.out);
  auto resuming = arguments;
  resuming.emplace_back("--resume");
  const auto again = run_command(resuming);
  EXPECT_EQ(again.out, plain.out);
  EXPECT_NE(again.err.find("nothing to resume"), std::string::npos) << again.err;
  EXPECT_EQ(tune::read_journal(journal).size(), 2U);
}

TEST_F(TuneCommand, AFullDiskIsAnErrorAtTheStart) {
  // Files may have 256 KiB: more than an empty journal, less than what is asked for in reserve.
  const auto result =
      test::run_program("/bin/sh", {"-c",
                                    "trap '' XFSZ; ulimit -f 512; exec " FLASHCORE_COMMAND
                                    " tune --simulate \"$1\" --journal \"$2\"",
                                    "sh", table_, folder_.file("j")});
  EXPECT_EQ(result.exit_code, 2) << result.out;
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("journal: " + folder_.file("j") + ": a MiB for it cannot be written"),
            std::string::npos)
      << result.err;
}

TEST_F(TuneCommand, AnUnwritableJournalIsAnErrorAtTheStart) {
  const auto result = run_command({"tune", "--simulate", table_, "--journal", "/nonexistent/j"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("journal: /nonexistent/j"), std::string::npos) << result.err;
}

TEST_F(TuneCommand, ConcurrentTunersShareAJournal) {
  const std::string journal = folder_.file("j");
  const auto result = test::run_program(
      "/bin/sh", {"-c",
                  "for s in 1 2 3; do " FLASHCORE_COMMAND
                  " tune --simulate \"$1\" --journal \"$2\" --seed $s & done; wait",
                  "sh", table_, journal});
  EXPECT_EQ(result.err.find("journal:"), std::string::npos) << result.err;
  const auto runs = tune::read_journal(journal);
  ASSERT_EQ(runs.size(), 3U);
  for (const tune::JournalRun& run : runs) {
    EXPECT_EQ(run.rows.size(), 222U);
    EXPECT_FALSE(run.end.is_null());
  }
}

TEST(TuneOnGpu, WithoutOneSaysSoAndWritesNothing) {
  const TempDir folder;
  const auto result = run_command(
      {"tune", "--family", "forward_mma", "--devices", "99", "--journal", folder.file("j")});
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_FALSE(std::filesystem::exists(folder.file("j")));
  const auto unnamed = run_command({"tune"});
  EXPECT_EQ(unnamed.exit_code, 2);
  EXPECT_NE(unnamed.err.find("family: which one"), std::string::npos);
  const auto unknown = run_command({"tune", "--family", "fast"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_NE(unknown.err.find("family: 'fast' is not one of forward_scalar"), std::string::npos);
}

TEST(TuneWeights, AreReadByName) {
  const tune::Weights weights = cli::parse_weights("error=0,nan=2.5");
  EXPECT_EQ(weights.error, 0);
  EXPECT_EQ(weights.nan, 2.5);
  EXPECT_EQ(weights.speed, 1);
  EXPECT_EQ(message_of([] { cli::parse_weights("error=-1"); }),
            "weights: error is '-1', which is not a number of at least 0");
  EXPECT_EQ(message_of([] { cli::parse_weights("error=1x"); }),
            "weights: error is '1x', which is not a number of at least 0");
}

}  // namespace
}  // namespace flashcore
