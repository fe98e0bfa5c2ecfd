// The whole way from an empty journal to a record that serves the next call, on a driver that
// computes nothing and with a worker that makes its answers up.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "dispatch/tuned.h"
#include "jit/compiler.h"
#include "support/command.h"
#include "support/temp_dir.h"
#include "tune/journal.h"
#include "tune/table.h"

namespace flashcore {
namespace {

using nlohmann::json;
using test::TempDir;

/// Four stages crash; three are faster than two. `before_screen` may use $config and the folder of
/// the script.
std::string worker_script(const std::string& before_screen) {
  return R"(#!/bin/sh
folder=$(dirname "$0")
while read -r line; do
  case $line in
  *'"do":"prepare"'*)
    config=${line#*\"config\":\"}; config=${config%%\"*}
    case $config in *stages=3*) us=1500;; *stages=4*) us=crash;; *) us=2400;; esac
    echo '{"ok":true}';;
  *'"do":"compile"'*) echo '{"ok":true,"report":{"registers":40,"spill_bytes":0,"stack_bytes":0,"smem_bytes":0,"barriers":1,"register_budget":64}}';;
  *'"do":"screen"'*) )" +
         before_screen + R"(
    [ $us != crash ] || kill -SEGV $$
    echo '{"ok":true,"correct":true,"max_error":1e-4,"finite":true,"deterministic":true,"detail":""}';;
  *'"do":"gate"'*) echo "$config" >> "$folder/gated"
    echo "{\"ok\":true,\"family\":\"forward_mma\",\"config\":\"$config\",\"reason\":\"asked for\",\"gate\":{\"status\":\"pass\",\"detail\":\"\",\"checks\":[{\"what\":\"x\",\"measured\":0,\"limit\":0,\"noise\":0}]}}";;
  *'"do":"start_timing"'*) echo "{\"ok\":true,\"footprint_bytes\":1,\"sets\":1,\"launches\":1,\"family\":\"forward_mma\",\"config\":\"$config\",\"reason\":\"asked for\"}";;
  *'"do":"measure"'*) echo "{\"ok\":true,\"cold_us\":$us,\"warm_us\":$us,\"eager_us\":$us}";;
  *'"do":"check_outputs"'*) echo '{"ok":true,"why":""}';;
  esac
done
)";
}

class TuneOnFakeGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!jit::compiler_available()) GTEST_SKIP() << jit::compiler_unavailable_reason();
  }

  test::CommandResult run(const std::vector<std::string>& arguments) {
    return test::run_command(arguments, {"FLASHCORE_LIBCUDA=" FLASHCORE_FAKE_LIBCUDA,
                                         "FLASHCORE_TUNED=" + folder_.file("tuned")});
  }

  /// At head_dim 128 the default has two stages: three beat it.
  test::CommandResult tune(const std::string& before_screen,
                           const std::vector<std::string>& more = {}) {
    const std::string worker = folder_.file("worker.sh");
    test::write_text(worker, worker_script(before_screen));
    std::filesystem::permissions(worker, std::filesystem::perms::owner_all);
    std::vector<std::string> arguments{
        "tune",      "--family",        "forward_mma", "--shape", "b=4,h=16,s=4096,d=128",
        "--journal", folder_.file("j"), "--worker",    worker,    "--generations",
        "3"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  TempDir folder_;
};

TEST_F(TuneOnFakeGpu, FindsAWinnerThatServesTheNextCall) {
  const auto result = tune("", {"--devices", "0,1", "--record-table", folder_.file("table.jsonl")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("60.0% faster than the default"), std::string::npos) << result.out;
  EXPECT_NE(result.err.find("generation 3: 68 tried, best 1500.00 us, 1.60 times"),
            std::string::npos)
      << result.err;
  EXPECT_NE(result.err.find("crashed"), std::string::npos) << result.err;

  const dispatch::TunedFile file =
      dispatch::read_tuned(folder_.file("tuned"), "Fake GPU", "forward_mma");
  ASSERT_EQ(file.records.size(), 1U);
  EXPECT_EQ(file.records[0].config.at("stages"), 3);
  EXPECT_EQ(file.records[0].default_us, 2400);
  const json info = json::parse(run({"info", "--json"}).out);
  EXPECT_EQ(info["tuned"][0]["records"], 1);

  const tune::Table table = tune::read_table(folder_.file("table.jsonl"));
  EXPECT_EQ(table.rows.size(), 68U);
  const auto runs = tune::read_journal(folder_.file("j"));
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs[0].rows.size(), 68U);
  const json& finals = runs[0].end["finals"];
  ASSERT_FALSE(finals["winner"].is_null());
  const auto winner = finals["winner"].get<std::size_t>();
  EXPECT_GT(finals["finalists"].size(), 2U);
  for (std::size_t i = 0; i < finals["finalists"].size(); ++i) {
    const json& record = finals["finalists"][i]["record"];
    const bool decisive = i == winner || record["variant"] == "default";
    EXPECT_EQ(record["gates"]["stability"]["status"], decisive ? "pass" : "skipped") << i;
    EXPECT_EQ(record["gates"]["latency"]["status"], "pass") << "of the rounds, gated or not";
    EXPECT_GT(record.at("gpu_us").at("cold").at("median").get<double>(), 0) << i;
  }
  const std::string gated = test::read_text(folder_.file("gated"));
  EXPECT_EQ(std::count(gated.begin(), gated.end(), '\n'), 2 * 4)
      << "the winner's and the default's";
}

TEST_F(TuneOnFakeGpu, KilledHalfWayItIsResumedAndRunsNothingTwice) {
  // The worker notes what it runs, and at the 30th takes its parent down, once.
  const std::string killing =
      R"(echo "$config" >> "$folder/ran"; [ $(wc -l < "$folder/ran") != 30 ] || kill -KILL $PPID)";
  const auto killed = tune(killing);
  EXPECT_EQ(killed.exit_code, -9) << killed.err;
  const auto resumed = tune(killing, {"--resume"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("resuming run 1"), std::string::npos) << resumed.err;

  const std::string ran = test::read_text(folder_.file("ran"));
  std::multiset<std::string> configs;
  for (std::size_t at = 0, end = 0; (end = ran.find('\n', at)) != std::string::npos; at = end + 1)
    configs.insert(ran.substr(at, end - at));
  // What passed first in each process is run again after every crash, to know that the GPU is
  // sound.
  for (const std::string& config : configs)
    if (config.find("stages=4") != std::string::npos) {
      EXPECT_EQ(configs.count(config), 1U) << config;
    }
  EXPECT_EQ(std::set<std::string>(configs.begin(), configs.end()).size(), 68U);
  const auto runs = tune::read_journal(folder_.file("j"));
  ASSERT_EQ(runs.size(), 1U);
  int abandoned = 0;
  for (const auto& row : runs[0].rows) {
    if (row.outcome->cause != tune::Cause::abandoned) continue;
    ++abandoned;
    EXPECT_EQ(configs.count(row.config), 1U) << row.config;
  }
  EXPECT_EQ(abandoned, 1);
}

TEST_F(TuneOnFakeGpu, BadRequestsAreNamed) {
  const auto expect_usage = [&](const std::vector<std::string>& more, const char* message) {
    const auto result = tune("", more);
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
  };
  expect_usage({"--devices", "1,1"}, "devices: 1 is given twice");
  expect_usage({"--fix", "stages=7"}, "fix: no Config of the space is as wanted");
  expect_usage({"--fix", "colour=1"}, "config: no field colour");
  expect_usage({"--target-ratio", "1"}, "target-ratio: needs a peer");
  expect_usage({"--dtype", "fp32"}, "fp32");
  expect_usage({"--record-table", "/nonexistent/x"}, "/nonexistent/x");
}

}  // namespace
}  // namespace flashcore
