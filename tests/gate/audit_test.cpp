// Recorded results that must pass, and results with one thing wrong that must not.
#include "gate/audit.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "support/temp_dir.h"

namespace flashcore::gate {
namespace {

using nlohmann::json;

const std::string data = FLASHCORE_SOURCE_DIR "/tests/gate/data/";

json recorded(const char* file) {
  std::ifstream stream(data + file);
  return json::parse(stream);
}

GateResult audited(const json& document, const char* gate,
                   const std::vector<std::string>& required = {}) {
  return audit(case_from_json(document["cases"][0], "cases[0]"), required).gates.at(gate);
}

/// What the audit says of a gate after one edit to the sound GPU result.
GateResult after(const char* gate, const std::function<void(json&)>& edit) {
  json document = recorded("gpu_sound.json");
  edit(document["cases"][0]);
  return audited(document, gate);
}

TEST(Audit, ASoundResultKeepsEveryVerdict) {
  for (const char* file : {"gpu_sound.json", "cpu_sound.json"}) {
    const json document = recorded(file);
    for (const auto& [gate, outcome] : document["cases"][0]["gates"].items()) {
      const GateResult result = audited(document, gate.c_str());
      EXPECT_EQ(name(result.verdict), outcome["status"].get<std::string>())
          << file << " " << gate << ": " << result.detail;
    }
  }
}

TEST(Audit, AnAbsentGateFails) {
  const GateResult result = after("safety", [](json& entry) { entry["gates"].erase("safety"); });
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_EQ(result.detail, "absent from the result");
}

TEST(Audit, ACaseOnTheEmulatorMustHaveCountedItsBankConflicts) {
  const auto emulated = [](json& entry) {
    entry["backend"] = "emulator";
    entry["peers"] = json::array();
  };
  EXPECT_EQ(after("tile_conflicts", emulated).detail, "absent from the result");
  const GateResult over = after("tile_conflicts", [&](json& entry) {
    emulated(entry);
    entry["gates"]["tile_conflicts"] = {
        {"status", "pass"},
        {"detail", ""},
        {"checks", {{{"what", "turns_over_least"}, {"measured", 8}, {"limit", 8}, {"noise", 0}}}}};
  });
  EXPECT_EQ(over.verdict, Verdict::fail);
  EXPECT_NE(over.detail.find("limit 8, the rule is 0"), std::string::npos) << over.detail;
}

TEST(Audit, APassThatTheNumbersDoNotBearOutFails) {
  const GateResult result = after("correctness", [](json& entry) {
    entry["gates"]["correctness"]["checks"][0]["measured"] = 1;
  });
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_NE(result.detail.find("recorded as pass"), std::string::npos) << result.detail;
}

TEST(Audit, ANumberThatIsNotFiniteFails) {
  EXPECT_EQ(
      after("correctness",
            [](json& entry) { entry["gates"]["correctness"]["checks"][1]["measured"] = nullptr; })
          .verdict,
      Verdict::fail);
}

TEST(Audit, APassWithoutChecksOrWithOneMissingFails) {
  EXPECT_EQ(
      after("stability", [](json& entry) { entry["gates"]["stability"]["checks"] = json::array(); })
          .verdict,
      Verdict::fail);
  EXPECT_EQ(after("stability", [](json& entry) { entry["gates"]["stability"]["checks"].erase(0); })
                .verdict,
            Verdict::fail);
}

TEST(Audit, ALimitThatIsNotTheRulesFails) {
  EXPECT_EQ(after("latency",
                  [](json& entry) {
                    for (json& check : entry["gates"]["latency"]["checks"])
                      if (check["what"] == "cold_us") check["limit"] = 1000;
                  })
                .verdict,
            Verdict::fail);
  EXPECT_EQ(
      after("safety", [](json& entry) { entry["gates"]["safety"]["checks"][0]["limit"] = 64; })
          .verdict,
      Verdict::fail);
  EXPECT_EQ(after("correctness",
                  [](json& entry) { entry["gates"]["correctness"]["checks"][1]["limit"] = 1.0; })
                .verdict,
            Verdict::fail);
}

TEST(Audit, ALatencyThatIsNotTheRecordedTimeFails) {
  const GateResult result =
      after("latency", [](json& entry) { entry["gpu_us"]["cold"]["median"] = 31.0; });
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_NE(result.detail.find("differs from the record's 31"), std::string::npos) << result.detail;
}

TEST(Audit, ATargetThatWasNotJudgedFails) {
  EXPECT_EQ(after("latency",
                  [](json& entry) {
                    entry["gates"]["latency"] = {
                        {"status", "skipped"}, {"detail", "not today"}, {"checks", json::array()}};
                  })
                .verdict,
            Verdict::fail);
}

TEST(Audit, NoiseThatWasNotMeasuredFails) {
  EXPECT_EQ(after("latency",
                  [](json& entry) {
                    json& latency = entry["gates"]["latency"];
                    latency["status"] = "inconclusive";
                    for (json& check : latency["checks"])
                      if (check["what"] == "cold_us") check["noise"] = 0.9;
                  })
                .verdict,
            Verdict::fail);
  EXPECT_EQ(after("safety",
                  [](json& entry) {
                    json& safety = entry["gates"]["safety"];
                    safety["status"] = "inconclusive";
                    safety["checks"][0]["measured"] = 1;
                    safety["checks"][0]["noise"] = 2;
                  })
                .verdict,
            Verdict::fail);
}

TEST(Audit, RegistersAreCountedAgainFromTheReports) {
  EXPECT_EQ(after("ptxas", [](json& entry) { entry["ptxas"]["sm_90"]["registers"] = 300; }).verdict,
            Verdict::fail);
  EXPECT_EQ(after("ptxas", [](json& entry) { entry["ptxas"]["sm_80"]["spill_bytes"] = 8; }).verdict,
            Verdict::fail);
  EXPECT_EQ(
      after("ptxas", [](json& entry) { entry["ptxas"]["sm_80"]["serialized_products"] = true; })
          .verdict,
      Verdict::fail);
  EXPECT_EQ(after("ptxas", [](json& entry) { entry["ptxas"] = json::object(); }).verdict,
            Verdict::fail);
}

TEST(Audit, AFailureStaysOneWithOrWithoutNumbers) {
  const GateResult crashed = after("stability", [](json& entry) {
    entry["gates"]["stability"] = {{"status", "fail"},
                                   {"detail", "the worker crashed with SIGSEGV, in stability"},
                                   {"checks", json::array()}};
  });
  EXPECT_EQ(crashed.verdict, Verdict::fail);
  EXPECT_EQ(crashed.detail, "the worker crashed with SIGSEGV, in stability");
}

TEST(Audit, SkippedDoesNotFailUnlessItIsRequired) {
  const json document = recorded("cpu_sound.json");
  EXPECT_EQ(audited(document, "ptxas").verdict, Verdict::skipped);
  EXPECT_EQ(audited(document, "ptxas", {"correctness"}).verdict, Verdict::skipped);
  EXPECT_EQ(audited(document, "ptxas", {"ptxas"}).verdict, Verdict::fail);
}

TEST(Audit, ASkippedGateWithChecksThatFailIsAFailure) {
  EXPECT_EQ(
      after("safety", [](json& entry) { entry["gates"]["safety"]["status"] = "skipped"; }).verdict,
      Verdict::fail);
}

std::string message_for(const std::string& text) {
  const test::TempDir directory;
  test::write_text(directory.path() / "result.json", text);
  try {
    read_results(directory.path() / "result.json");
  } catch (const core::Error& error) {
    const std::string message = error.what();
    const auto file = message.find("result.json: ");
    return file == std::string::npos ? "no file named: " + message : message.substr(file + 13);
  }
  return "accepted";
}

TEST(ReadResults, NamesTheFileAndThePlace) {
  EXPECT_EQ(message_for("{"), "not a JSON document");
  EXPECT_EQ(message_for("[]"), "$: expected an object, found []");
  EXPECT_EQ(message_for("{}"), "$: schema is missing");
  EXPECT_EQ(message_for(R"({"schema": 9, "cases": []})"),
            "schema: 9 is not 1, the one that is known");
  EXPECT_EQ(message_for(R"({"schema": 1, "cases": {}})"), "$.cases: expected an array, found {}");
  EXPECT_EQ(message_for(R"({"schema": 1, "cases": [7]})"), "cases[0]: expected an object, found 7");
  json document = recorded("gpu_sound.json");
  document["cases"][0]["gates"]["latency"]["status"] = "ok";
  EXPECT_EQ(message_for(document.dump()),
            "cases[0].gates.latency.status: expected pass, fail, inconclusive or skipped, found "
            "\"ok\"");
  document = recorded("gpu_sound.json");
  document["cases"][0]["gpu_us"]["cold"]["median"] = "fast";
  EXPECT_EQ(message_for(document.dump()),
            "cases[0].gpu_us.cold.median: expected a number, found \"fast\"");
  document = recorded("gpu_sound.json");
  document["cases"][0]["problem"]["heads_kv"] = 3;
  EXPECT_EQ(message_for(document.dump()),
            "cases[0].problem.heads_q: expected a multiple of heads_kv, found 8");
}

TEST(ReadResults, AMissingFileIsAnError) {
  EXPECT_THROW(read_results("/nonexistent/result.json"), core::Error);
}

TEST(CaseRecord, SurvivesJsonAndBack) {
  for (const char* file : {"gpu_sound.json", "cpu_sound.json"}) {
    json expected = recorded(file)["cases"][0];
    expected.erase("provenance");
    const CaseRecord record = case_from_json(expected, "cases[0]");
    EXPECT_EQ(case_to_json(record), expected) << file;
    expected["cold_turns_us"] = {{"first", {5.25, 5.5}}, {"again", {5.0, 6.0}}};
    EXPECT_EQ(case_to_json(case_from_json(expected, "cases[0]")), expected) << file;
  }
}

TEST(CaseRecord, TurnsThatCannotHaveBeenMeasuredAreRefused) {
  json document = recorded("gpu_sound.json");
  document["cases"][0]["cold_turns_us"] = {{"first", {5.25, 5.5}}, {"again", {5.0}}};
  EXPECT_EQ(message_for(document.dump()),
            "cases[0].cold_turns_us.again: expected as many times as first has, found [5.0]");
  document["cases"][0]["cold_turns_us"]["again"] = {5.0, -1.0};
  EXPECT_EQ(message_for(document.dump()),
            "cases[0].cold_turns_us.again[1]: expected a number above 0, found -1.0");
}

}  // namespace
}  // namespace flashcore::gate
