#include "cli/ladder.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cuda/driver.h"
#include "support/command.h"
#include "support/temp_dir.h"

namespace flashcore {
namespace {

using nlohmann::json;
using test::run_command;

TEST(LadderCommand, WithoutAGpuSaysWhichRungsWereNotRunAndDoesNotPass) {
  if (cuda::device_count() > 0) GTEST_SKIP() << "this machine has a GPU";
  const test::TempDir directory;
  const std::string file = directory.file("ladder.json");
  const auto result = run_command({"bench", "--variant", "ladder", "--json", file});
  EXPECT_EQ(result.exit_code, 3) << result.out << result.err;
  for (const dispatch::Rung& rung : dispatch::ladder())
    EXPECT_NE(result.out.find(std::string{rung.variant} + " was not measured: "), std::string::npos)
        << result.out;
  const json document = json::parse(test::read_text(file));
  EXPECT_EQ(document["cases"].size(), cli::ladder_variants().size());
  EXPECT_EQ(document["cases"][0]["gates"]["ladder"]["status"], "skipped");
  EXPECT_EQ(run_command({"gate", file}).exit_code, 0);
  EXPECT_EQ(run_command({"gate", "--require", "ladder", file}).exit_code, 1);
}

TEST(LadderCommand, RunsAloneAndAtItsOwnShape) {
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"--shape", "b=1,h=1,s=8,d=8"},
        {"--suite", "small"},
        {"--variant", "cpu"}}) {
    std::vector<std::string> arguments{"bench", "--variant", "ladder"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto result = run_command(arguments);
    EXPECT_EQ(result.exit_code, 2) << result.out;
    EXPECT_NE(result.err.find("variant: ladder runs alone"), std::string::npos) << result.err;
  }
}

gate::CaseRecord rung(const char* variant, double us) {
  gate::CaseRecord record;
  record.variant = variant;
  record.backend = "cuda";
  record.family = "forward_scalar";
  const auto all = [](double value) { return gate::Summary{value, value, value, value, value, 3}; };
  record.timing = gate::Timing{all(us), all(us), all(us)};
  record.peers.push_back({.name = "torch_sdpa",
                          .backend = "flash",
                          .version = "2.11",
                          .timing = gate::Timing{all(10), all(10), all(10)},
                          .comparison = gate::PeerComparison{all(us / 10), 0},
                          .not_measured = ""});
  record.gates["ladder"] = {gate::Verdict::pass, "", {}};
  return record;
}

TEST(LadderTable, HasARowForEachRungAndOneForEachPeer) {
  const std::vector<gate::CaseRecord> records{rung("v12_baseline", 133.9)};
  const std::string table = cli::ladder_table(records);
  EXPECT_NE(table.find("13.39"), std::string::npos) << table;
  EXPECT_NE(table.find("torch_sdpa flash"), std::string::npos) << table;
  for (const dispatch::Rung& each : dispatch::ladder())
    EXPECT_NE(table.find(std::string{each.variant}), std::string::npos) << table;
  EXPECT_EQ(cli::not_measured_rungs(records).find("v12_baseline"), std::string::npos);
}

}  // namespace
}  // namespace flashcore
