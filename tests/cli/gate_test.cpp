#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/command.h"
#include "support/temp_dir.h"

namespace flashcore {
namespace {

using nlohmann::json;
using test::run_command;

const std::string data = FLASHCORE_SOURCE_DIR "/tests/gate/data/";

TEST(GateCommand, SoundResultsPassAndAreCounted) {
  const auto result = run_command({"gate", data + "gpu_sound.json", data + "cpu_sound.json"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_NE(result.out.find("0 failed"), std::string::npos) << result.out;
}

TEST(GateCommand, EveryRecordedFailureFails) {
  for (const char* file : {"slow.json", "doctored.json", "crashed.json", "gate_absent.json"}) {
    const auto result = run_command({"gate", data + file});
    EXPECT_EQ(result.exit_code, 1) << file << result.out << result.err;
  }
}

TEST(GateCommand, OneBadFileAmongGoodOnesFails) {
  EXPECT_EQ(run_command({"gate", data + "gpu_sound.json", data + "slow.json"}).exit_code, 1);
}

TEST(GateCommand, NoCasesShowNothingAndFail) {
  const auto result = run_command({"gate", data + "no_cases.json"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.err.find("no_cases.json: holds no case"), std::string::npos) << result.err;
}

TEST(GateCommand, MalformedFilesAreUsageErrorsThatNameThePlace) {
  const auto result = run_command({"gate", data + "malformed.json"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("malformed.json: cases[0].gates.stability.status: expected"),
            std::string::npos)
      << result.err;
  EXPECT_EQ(run_command({"gate", "/nonexistent.json"}).exit_code, 2);
  EXPECT_EQ(run_command({"gate", FLASHCORE_SOURCE_DIR "/README.md"}).exit_code, 2);
  EXPECT_EQ(run_command({"gate"}).exit_code, 2);
}

TEST(GateCommand, RequireRefusesUnknownGates) {
  const auto result = run_command({"gate", "--require", "speed", data + "gpu_sound.json"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("require: 'speed' is not a gate"), std::string::npos) << result.err;
}

TEST(GateCommand, JsonHoldsTheDerivedVerdicts) {
  const auto result = run_command({"gate", "--json", data + "doctored.json"});
  EXPECT_EQ(result.exit_code, 1);
  const json document = json::parse(result.out);
  EXPECT_EQ(document["cases"][0]["gates"]["correctness"]["status"], "fail");
  EXPECT_GT(document["totals"]["fail"], 0);
}

}  // namespace
}  // namespace flashcore
