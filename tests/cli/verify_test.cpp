#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/command.h"

namespace flashcore {
namespace {

using nlohmann::json;
using test::run_command;

TEST(VerifyCommand, RandomProblemsAreCorrectOnTheCpu) {
  const auto result =
      run_command({"verify", "--variant", "cpu", "--random", "8", "--seed", "11", "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  ASSERT_EQ(report["checked"].size(), 8U);
  for (const json& each : report["checked"]) EXPECT_EQ(each["status"], "pass") << each;
}

TEST(VerifyCommand, TheCommandItPrintsRepeatsTheSameProblem) {
  const json report = json::parse(
      run_command({"verify", "--variant", "cpu", "--random", "3", "--seed", "5", "--json"}).out);
  const json& last = report["checked"][2];
  EXPECT_EQ(last["repeat"], "flashcore verify --variant cpu --random 1 --seed 7");
  const json again = json::parse(
      run_command({"verify", "--variant", "cpu", "--random", "1", "--seed", "7", "--json"}).out);
  EXPECT_EQ(again["checked"][0], last);
}

TEST(VerifyCommand, AShapeIsRepeatedWithItsMaskAndWindow) {
  const auto result =
      run_command({"verify", "--variant", "cpu", "--shape", "b=1,h=4,s=20,d=8,hkv=2,skv=30",
                   "--dtype", "bf16", "--mask", "causal_top_left", "--window", "4,-1", "--json"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(json::parse(result.out)["checked"][0]["repeat"],
            "flashcore verify --variant cpu --shape b=1,h=4,s=20,d=8,hkv=2,skv=30 --dtype bf16 "
            "--mask causal_top_left --window=4,-1 --seed 1");
}

TEST(VerifyCommand, PrintsATableForPeople) {
  const auto result = run_command({"verify", "--variant", "cpu", "--random", "2"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.out.find("correct"), std::string::npos) << result.out;
  EXPECT_EQ(result.err, "");
}

}  // namespace
}  // namespace flashcore
