// The worker's own side of the protocol: bad requests are answered, not died of.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bench/child.h"
#include "gate/record.h"
#include "io/problem_json.h"

namespace flashcore {
namespace {

using nlohmann::json;

class WorkerCommand : public testing::Test {
 protected:
  json ask(const json& request) { return worker_.ask(request, std::chrono::seconds(30)); }

  json prepare() {
    const auto problem = core::contiguous_problem(core::Dtype::float32, 1, 1, 1, 8, 8, 8);
    return ask({{"do", "prepare"},
                {"backend", "cpu"},
                {"family", "cpu_blocked"},
                {"config", ""},
                {"ordinal", 0},
                {"seed", 1},
                {"problem", io::problem_to_json(problem)}});
  }

  std::string error_of(const json& request) {
    const json answer = ask(request);
    return answer["ok"].get<bool>() ? "ok" : answer["error"].get<std::string>();
  }

  bench::Child worker_{{FLASHCORE_COMMAND, "worker"}};
};

TEST_F(WorkerCommand, SaysWhatIsWrongWithARequestAndGoesOn) {
  EXPECT_EQ(error_of({{"do", "gate"}}), "gate: nothing was prepared");
  EXPECT_EQ(error_of(json::array()), "request: expected an object, found []");
  EXPECT_EQ(error_of({{"do", 7}}), "request.do: expected a string, found 7");
  EXPECT_EQ(error_of({{"do", "prepare"}, {"backend", "abacus"}}),
            "request.backend: expected cpu, cuda or emulator, found \"abacus\"");
  EXPECT_TRUE(prepare()["ok"].get<bool>());
  EXPECT_EQ(error_of({{"do", "dance"}}), "do: dance is not a request");
  EXPECT_EQ(error_of({{"do", "measure"}}), "measure: timing was not started");
  EXPECT_EQ(error_of({{"do", "gate"}, {"gate", "speed"}, {"trials", 20}}),
            "gate: speed is not one that runs the call");
}

TEST_F(WorkerCommand, MeasuresAndChecksWhatItMeasured) {
  prepare();
  EXPECT_TRUE(ask({{"do", "start_timing"}})["ok"].get<bool>());
  const json round = ask({{"do", "measure"}});
  EXPECT_GT(round["cold_us"], 0);
  EXPECT_GT(round["warm_us"], 0);
  EXPECT_GT(round["eager_us"], 0);
  EXPECT_EQ(ask({{"do", "check_outputs"}})["why"], "");
}

TEST_F(WorkerCommand, OutputsThatWereNeverComputedAreWrong) {
  prepare();
  ask({{"do", "start_timing"}});
  EXPECT_NE(ask({{"do", "check_outputs"}})["why"], "");
}

}  // namespace
}  // namespace flashcore
