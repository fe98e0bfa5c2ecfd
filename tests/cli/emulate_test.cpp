#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/emulate_report.h"
#include "support/command.h"
#include "support/temp_dir.h"

namespace flashcore {
namespace {

using nlohmann::json;
using test::CommandResult;
using test::run_command;
using ::testing::HasSubstr;

TEST(EmulateCommand, PrintsWhatTheKernelDidByInstructionMemoryAndLine) {
  const CommandResult result = run_command({"emulate", "--variant", "phase_2e"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("phase_2e on an emulated sm_90a: fp16 b=1 h=1 s=128 d=64"));
  EXPECT_THAT(result.out, HasSubstr("the checks found nothing"));
  EXPECT_THAT(result.out, HasSubstr("kernels/forward_mma/kernel.cuh:"));
  EXPECT_EQ(result.err, "");
}

TEST(EmulateCommand, CountsTheMatrixInstructionsThatTheShapeTakes) {
  const CommandResult result = run_command({"emulate", "--variant", "phase_2e", "--shape",
                                            "b=2,h=3,s=128,d=64", "--seed", "5", "--json", "-"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  // 4 S S D multiply-adds of both products, 16 x 8 x 16 to an instruction.
  EXPECT_EQ(report["instructions"]["mma"], 6 * (2 * 128 * 128 * 64) / (16 * 8 * 16));
  EXPECT_TRUE(report["accuracy"]["correct"].get<bool>());
  EXPECT_TRUE(report["findings"].empty());
  EXPECT_EQ(report["seed"], 5);
  EXPECT_FALSE(report["sites"].empty());
  EXPECT_TRUE(report["provenance"].contains("commit"));
}

TEST(EmulateCommand, WritesJsonToAFileBesideTheTables) {
  const test::TempDir directory;
  const std::string file = directory.file("counts.json");
  const CommandResult result = run_command({"emulate", "--variant", "v12_baseline", "--shape",
                                            "b=1,h=1,s=20,d=16", "--no-checks", "--json", file});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("executed"));
  EXPECT_EQ(json::parse(test::read_text(file))["variant"], "v12_baseline");
}

TEST(EmulateCommand, TakesFieldsOfTheConfigInThePlaceOfTheVariants) {
  const CommandResult result =
      run_command({"emulate", "--variant", "phase_2e", "--shape", "b=1,h=1,s=64,d=32", "--config",
                   "stages=3", "--json", "-"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(json::parse(result.out)["config"].get<std::string>(), HasSubstr("stages=3"));
}

TEST(EmulateCommand, SaysWhichArgumentIsWrongAndWhatIsPossible) {
  struct Case {
    std::vector<std::string> arguments;
    const char* message;
  };
  const std::vector<Case> cases{
      {{"--variant", "phase_9"}, "variant: 'phase_9' is not one of cpu, v12_baseline"},
      {{"--variant", "cpu"}, "variant: cpu runs on the cpu, device is emulator"},
      {{"--variant", "phase_2d,phase_2e"}, "variant: 2 were given, one at a time is emulated"},
      {{}, "variant: 0 were given, one at a time is emulated"},
      {{"--variant", "phase_2e", "--shape", "b=1,h=1,s=8,d=8", "--shape", "b=1,h=1,s=9,d=8"},
       "shape: 2 were given"},
      {{"--variant", "phase_2e", "--arch", "sm_70"}, "arch: 'sm_70' is none of sm_80"},
      {{"--variant", "phase_2e", "--config", "colour=3"}, "config: unknown field colour"},
      {{"--variant", "phase_2e", "--config", "stages=99"}, "config: "},
      {{"--variant", "phase_2e", "--dtype", "fp32"}, "fp32"},
      {{"--variant", "phase_2e", "--json", "/nonexistent/counts.json"}, "/nonexistent/counts.json"},
  };
  for (const Case& each : cases) {
    std::vector<std::string> arguments{"emulate"};
    arguments.insert(arguments.end(), each.arguments.begin(), each.arguments.end());
    const CommandResult result = run_command(arguments);
    EXPECT_EQ(result.exit_code, 2) << each.message << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(each.message));
  }
}

TEST(EmulateCommand, WithNeitherModuleNorCompilerItSaysWhereItLooked) {
  const test::TempDir empty;
  const CommandResult result =
      run_command({"emulate", "--variant", "phase_2e"},
                  {"FLASHCORE_CXX=no_such_compiler", "FLASHCORE_PACK=" + empty.file("default.pack"),
                   "FLASHCORE_CACHE_DIR=" + empty.file("cache")});
  EXPECT_EQ(result.exit_code, 3) << result.out;
  EXPECT_THAT(result.err, HasSubstr("there is no program no_such_compiler"));
  EXPECT_THAT(result.err, HasSubstr(empty.file("modules") + " does not hold it"));
}

TEST(EmulateCommand, CompilesModulesForMachinesWithNoCompiler) {
  const test::TempDir folder;
  const CommandResult made =
      run_command({"emulate", "--variant", "v12_baseline", "--shape", "b=1,h=1,s=20,d=16",
                   "--modules", folder.file("modules")});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("1 modules"));
  const CommandResult result = run_command(
      {"emulate", "--variant", "v12_baseline", "--shape", "b=1,h=1,s=20,d=16"},
      {"FLASHCORE_CXX=no_such_compiler", "FLASHCORE_PACK=" + folder.file("default.pack"),
       "FLASHCORE_CACHE_DIR=" + folder.file("cache")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST(EmulateReport, AFindingOrAWrongResultIsNotGood) {
  cli::Emulation emulation;
  emulation.variant = "phase_2e";
  EXPECT_TRUE(emulation.good());
  emulation.report.findings.emplace_back().label = "forward_mma";
  emulation.report.more_findings = 2;
  EXPECT_EQ(emulation.why_not(), "phase_2e: the checks found 3 faults");
  EXPECT_THAT(cli::to_text(emulation), HasSubstr("the checks found:\nforward_mma"));
  EXPECT_EQ(cli::to_json(emulation)["findings"].size(), 1U);
  emulation.report = {};
  emulation.accuracy = gate::Accuracy{.correct = false, .reason = "o[0] is wrong"};
  EXPECT_EQ(emulation.why_not(), "phase_2e: o[0] is wrong");
}

TEST(EmulatorDevice, VerifyChecksTheKernelsAndRepeatsThemThere) {
  const CommandResult result = run_command({"verify", "--device", "emulator", "--variant",
                                            "phase_2e", "--random", "3", "--seed", "4", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  ASSERT_EQ(report["checked"].size(), 3U);
  for (const json& each : report["checked"]) EXPECT_EQ(each["status"], "pass") << each;
  const std::string repeat = report["checked"][2]["repeat"];
  EXPECT_THAT(repeat, HasSubstr("--seed 6 --device emulator --arch sm_90a"));
}

TEST(EmulatorDevice, BenchAsksEveryGateButLatencyAndSaysThatItIsNotTiming) {
  const test::TempDir directory;
  const std::string file = directory.file("bench.json");
  const CommandResult result =
      run_command({"bench", "--device", "emulator", "--variant", "phase_2e", "--json", file});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("not timing"));
  const json entry = json::parse(test::read_text(file))["cases"][0];
  EXPECT_EQ(entry["backend"], "emulator");
  for (const char* gate : {"correctness", "determinism", "stability", "safety", "tile_conflicts"})
    EXPECT_EQ(entry["gates"][gate]["status"], "pass") << gate << entry["gates"][gate];
  EXPECT_EQ(entry["gates"]["latency"]["status"], "skipped");
  EXPECT_EQ(run_command({"gate", file}).exit_code, 0);
}

TEST(EmulatorDevice, TheLadderIsTimedAndSoRefused) {
  const CommandResult result =
      run_command({"bench", "--device", "emulator", "--variant", "ladder"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("variant: ladder is timed"));
}

}  // namespace
}  // namespace flashcore
