#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "profile/fake_ncu.h"
#include "support/command.h"

namespace flashcore {
namespace {

using nlohmann::json;
using test::FakeNcu;
using test::run_command;

TEST(ProfileCommand, PrintsTheFiguresAndWritesWhatGateReads) {
  const FakeNcu ncu = FakeNcu::that_prints(test::ncu_output());
  const std::string file = ncu.file("ncu.json");
  const auto result =
      run_command({"profile", "v12_baseline", "--json", file}, {ncu.path_variable()});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  for (const char* part : {"tensor pipe active", "61.5 %", "stalled: wait", "also launched: merge",
                           "warp_efficiency: pass", "fp16 b=4 h=16 s=4096 d=128"})
    EXPECT_NE(result.out.find(part), std::string::npos) << part << "\n" << result.out;
  const json document = json::parse(test::read_text(file));
  EXPECT_EQ(document["schema"], 1);
  EXPECT_TRUE(document["provenance"].contains("commit"));
  EXPECT_EQ(document["profiles"][0]["kernel"]["figures"]["tensor_pipe_percent"], 61.5);
  EXPECT_EQ(document["profiles"][0]["other_kernels"][0]["name"], "merge(Params)");
  EXPECT_EQ(run_command({"gate", file}).exit_code, 0);
}

TEST(ProfileCommand, AFailedGateIsStatusOneHereAndInGate) {
  const FakeNcu ncu = FakeNcu::that_prints(test::ncu_output("61.5", "16", "0"));
  const std::string file = ncu.file("ncu.json");
  EXPECT_EQ(
      run_command({"profile", "v12_baseline", "--json", file}, {ncu.path_variable()}).exit_code, 1);
  const auto gate = run_command({"gate", file});
  EXPECT_EQ(gate.exit_code, 1);
  EXPECT_NE(gate.out.find("warp_efficiency"), std::string::npos) << gate.out;
}

TEST(ProfileCommand, RefusedCountersAreNotAPassAndWhatNeedsNoneIsGiven) {
  const FakeNcu ncu("echo '==ERROR== ERR_NVGPUCTRPERM'; exit 1");
  const std::string file = ncu.file("ncu.json");
  const auto result =
      run_command({"profile", "v12_baseline", "--json", file}, {ncu.path_variable()});
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_NE(result.out.find("ERR_NVGPUCTRPERM"), std::string::npos) << result.out;
  const json profile = json::parse(test::read_text(file))["profiles"][0];
  EXPECT_TRUE(profile["kernel"].is_null());
  EXPECT_EQ(profile["gates"]["tensor_pipe"]["status"], "skipped");
  if (result.out.find("not found out: no NVRTC") == std::string::npos) {
    EXPECT_NE(result.out.find("forward_scalar::forward"), std::string::npos) << result.out;
    EXPECT_GT(profile["resources"][0]["theoretical_occupancy_percent"], 0);
  }
}

TEST(ProfileCommand, ReadsTheInstructionMixWhereADisassemblerIsPresent) {
  const FakeNcu tools("exit 1");
  const std::string disassembler = tools.file("cuobjdump");
  test::write_text(
      disassembler,
      "#!/bin/sh\n[ -s \"$2\" ] || exit 5\necho '        /*0030*/   HMMA.16816.F32 R4, "
      "R8, R12, R4 ;'\n");
  std::filesystem::permissions(disassembler, std::filesystem::perms::owner_all);
  const auto result = run_command({"profile", "v12_baseline"}, {tools.path_variable()});
  EXPECT_EQ(result.exit_code, 3);
  if (result.out.find("forward_scalar::forward") == std::string::npos) GTEST_SKIP() << result.out;
  EXPECT_NE(result.out.find("1 instructions: 1 tensor"), std::string::npos) << result.out;
}

TEST(ProfileCommand, JsonToStdoutLeavesNothingElseThere) {
  const FakeNcu ncu = FakeNcu::that_prints(test::ncu_output());
  const auto result =
      run_command({"profile", "v12_baseline", "--json", "-"}, {ncu.path_variable()});
  EXPECT_EQ(json::parse(result.out, nullptr, false).value("schema", 0), 1) << result.out;
}

class NsightGate : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::filesystem::path{FLASHCORE_COMMAND} !=
        std::filesystem::path{FLASHCORE_SOURCE_DIR} / "build/bin/flashcore")
      GTEST_SKIP() << "the script runs what build/ holds, not " << FLASHCORE_COMMAND;
  }

  /// `tools/nsight_gate.sh hopper`, its result in a file of the stand-in's folder.
  static test::CommandResult hopper(const FakeNcu& ncu) {
    return test::run_program("bash",
                             {FLASHCORE_SOURCE_DIR "/tools/nsight_gate.sh", "--no-setup", "hopper",
                              "--json", ncu.file("ncu.json")},
                             {ncu.path_variable()});
  }
};

TEST_F(NsightGate, HoldsTheHopperKernelToThreeQuartersOfTheTensorPipe) {
  for (const bool enough : {true, false}) {
    const FakeNcu ncu = FakeNcu::that_prints(test::ncu_output(enough ? "75.1" : "74.8"));
    const auto result = hopper(ncu);
    EXPECT_EQ(result.exit_code, enough ? 0 : 1) << result.out << result.err;
    const json profile = json::parse(test::read_text(ncu.file("ncu.json")))["profiles"][0];
    EXPECT_EQ(profile["variant"], "phase_3a");
    EXPECT_EQ(profile["gates"]["tensor_pipe"]["status"], enough ? "pass" : "fail");
    EXPECT_EQ(run_command({"gate", ncu.file("ncu.json")}).exit_code, enough ? 0 : 1);
  }
}

TEST_F(NsightGate, WithoutCountersIsNotAPass) {
  EXPECT_EQ(hopper(FakeNcu("echo '==ERROR== ERR_NVGPUCTRPERM'; exit 1")).exit_code, 3);
}

TEST(ProfileCommand, NamesWhatIsWrongWithTheFlags) {
  const auto expect_usage = [](const std::vector<std::string>& arguments, const char* message) {
    const auto result = run_command(arguments);
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
  };
  expect_usage({"profile"}, "VARIANT is required");
  expect_usage({"profile", "v99"}, "variant: 'v99' is not one of");
  expect_usage({"profile", "cpu"}, "variant: cpu runs on the CPU");
  expect_usage({"profile", "v12_baseline", "--shape", "b=1"}, "shape: h is missing");
  expect_usage({"profile", "v12_baseline", "--json", "/nonexistent/x.json"}, "/nonexistent/x.json");
}

}  // namespace
}  // namespace flashcore
