#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/command.h"
#include "support/temp_dir.h"

namespace flashcore {
namespace {

using nlohmann::json;
using test::run_command;

const std::vector<std::string> tiny{"bench",    "--variant", "cpu", "--shape", "b=1,h=2,s=24,d=16",
                                    "--rounds", "3"};

std::vector<std::string> with(std::vector<std::string> arguments,
                              const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(BenchCommand, PrintsATableAndWritesTheSchemaThatGateReads) {
  const test::TempDir directory;
  const std::string file = directory.file("result.json");
  const auto result = run_command(with(tiny, {"--json", file}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("fp16 b=1 h=2 s=24 d=16"), std::string::npos) << result.out;
  EXPECT_EQ(result.err, "");  // quiet in a pipe

  const json document = json::parse(test::read_text(file));
  EXPECT_EQ(document["schema"], 1);
  const json& entry = document["cases"][0];
  for (const char* key :
       {"variant", "backend", "family", "config", "problem", "gates", "cpu_us", "eager_us",
        "tflops", "ptxas", "peers", "ratio_to_best_peer", "roofline", "provenance"})
    EXPECT_TRUE(entry.contains(key)) << key;
  EXPECT_GT(entry["cpu_us"]["cold"]["median"], 0);
  EXPECT_EQ(entry["gates"]["correctness"]["status"], "pass");
  for (const char* key : {"commit", "cpu", "gpu", "date", "command_line", "seed", "nvrtc"})
    EXPECT_TRUE(entry["provenance"].contains(key)) << key;
  EXPECT_EQ(directory.listing().find("tmp"), std::string::npos) << directory.listing();

  EXPECT_EQ(run_command({"gate", file}).exit_code, 0);
  const auto required = run_command({"gate", "--require", "ptxas", file});
  EXPECT_EQ(required.exit_code, 1);
  EXPECT_NE(required.out.find("required, but skipped"), std::string::npos) << required.out;
}

TEST(BenchCommand, JsonToStdoutLeavesNothingElseThere) {
  const auto result = run_command(with(tiny, {"--json", "-"}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(json::parse(result.out, nullptr, false).value("schema", 0), 1) << result.out;
}

TEST(BenchCommand, APathThatCannotBeWrittenIsFoundBeforeMeasuring) {
  const auto start = std::chrono::steady_clock::now();
  const auto result =
      run_command(with(tiny, {"--json", "/nonexistent/result.json", "--suite", "sweep"}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("/nonexistent/result.json"), std::string::npos) << result.err;
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(BenchCommand, ACrashOfTheWorkerIsAFailedGateInTheResult) {
  const test::TempDir directory;
  const std::string file = directory.file("result.json");
  const auto result = run_command(with(tiny, {"--json", file, "--fault", "safety:crash"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.out.find("safety fail: the worker crashed with SIGSEGV"), std::string::npos)
      << result.out;
  EXPECT_EQ(run_command({"gate", file}).exit_code, 1);
}

TEST(BenchCommand, NamesWhatIsWrongWithTheFlags) {
  const auto expect_usage = [](const std::vector<std::string>& arguments, const char* message) {
    const auto result = run_command(arguments);
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
    EXPECT_EQ(result.out, "");
  };
  expect_usage({"bench", "--shape", "b=1,h=8,s=0,d=64"}, "shape: s is 0");
  expect_usage({"bench", "--suite", "huge"}, "suite: 'huge' is not one of");
  expect_usage({"bench", "--peers", "torch:fast"}, "peers: 'torch:fast' is neither none nor torch");
  expect_usage({"bench", "--dtype", "fp8"}, "dtype: 'fp8' is not one of fp16, bf16, fp32");
  expect_usage({"bench", "--mask", "diagonal"}, "mask: 'diagonal' is not one of none,");
  expect_usage({"bench", "--window", "3"}, "window: '3' is not LEFT,RIGHT");
  expect_usage({"bench", "--window=-2,1"}, "window: '-2,1' is not LEFT,RIGHT with numbers from -1");
  expect_usage({"bench", "--variant", "v99"}, "variant: 'v99' is not one of cpu, v12_baseline");
  expect_usage({"bench", "--variant", "v12_baseline", "--device", "cpu"},
               "variant: v12_baseline runs on the gpu, device is cpu");
}

TEST(BenchCommand, ConfigsRunBesideTheVariantsOwn) {
  const test::TempDir directory;
  const std::string file = directory.file("result.json");
  const auto result = run_command({"bench", "--device", "emulator", "--variant", "phase_2e",
                                   "--shape", "b=1,h=1,s=64,d=64", "--config",
                                   "block_kv=64,stages=2", "--config", "stages=3", "--json", file});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const json cases = json::parse(test::read_text(file))["cases"];
  ASSERT_EQ(cases.size(), 3);
  EXPECT_EQ(cases[0]["variant"], "phase_2e");
  EXPECT_EQ(cases[1]["variant"], "phase_2e block_kv=64,stages=2");
  EXPECT_EQ(cases[2]["variant"], "phase_2e stages=3");
  const auto config_of = [&](int i) { return cases[i]["config"].get<std::string>(); };
  EXPECT_NE(config_of(1).find("block_kv=64,stages=2"), std::string::npos) << config_of(1);
  EXPECT_NE(config_of(2).find("stages=3"), std::string::npos) << config_of(2);
  for (const json& each : cases) EXPECT_EQ(each["gates"]["correctness"]["status"], "pass");
}

TEST(BenchCommand, NamesWhatIsWrongWithAConfigBeforeItMeasures) {
  const test::TempDir directory;
  const std::string file = directory.file("result.json");
  const auto expect_usage = [&](const std::vector<std::string>& arguments, const char* message) {
    const auto result =
        run_command(with({"bench", "--device", "emulator", "--json", file}, arguments));
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
    EXPECT_EQ(directory.listing().find("result.json"), std::string::npos);
  };
  const auto with_2e = [](const char* config) {
    return std::vector<std::string>{"--variant", "phase_2e", "--config", config};
  };
  expect_usage(with_2e("speed=9"), "config: unknown field speed; the fields are");
  expect_usage(with_2e("stages=1"),
               "config: phase_2e stages=1 at fp16 b=1 h=1 s=128 d=64: stages 1 is not in [2, 8]");
  expect_usage(with_2e("stages=many"), "config: stages is 'many', which is not a whole number");
  expect_usage(with_2e("stages=1,stages=2"), "config: stages is given twice");
  expect_usage(with_2e(""), "config: '' has no fields");
  expect_usage(with(with_2e("stages=3"), {"--config", "stages=3"}),
               "config: 'stages=3' says the same");
  expect_usage(with(with_2e("stages=3,block_kv=64"), {"--config", "block_kv=64,stages=3"}),
               "config: 'block_kv=64,stages=3' says the same");
  expect_usage({"--config", "stages=3"}, "config: needs one --variant, 0 are given");
  expect_usage({"--variant", "phase_2e,phase_2d", "--config", "stages=3"},
               "config: needs one --variant, 2 are given");
  const auto cpu = run_command(with(tiny, {"--config", "stages=3"}));
  EXPECT_EQ(cpu.exit_code, 2);
  EXPECT_NE(cpu.err.find("config: variant cpu runs on the CPU and has none"), std::string::npos)
      << cpu.err;
}

}  // namespace
}  // namespace flashcore
