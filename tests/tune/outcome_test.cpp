#include "tune/outcome.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/message_of.h"

namespace flashcore::tune {
namespace {

using flashcore::test::message_of;
using nlohmann::json;

TEST(Fitness, IsTheStartingPointsFormula) {
  const Weights weights;
  EXPECT_DOUBLE_EQ(fitness({.latency_us = 5}, 10, weights), 2.0);
  EXPECT_DOUBLE_EQ(fitness({.latency_us = 10, .max_error = 5e-5}, 10, weights), 1 - 0.4 * 0.5);
  EXPECT_DOUBLE_EQ(fitness({.latency_us = 10, .max_error = 1}, 10, weights), 1 - 0.4);
  EXPECT_DOUBLE_EQ(fitness({.cause = Cause::incorrect, .nan = true}, 10, weights), -2.0);
  EXPECT_DOUBLE_EQ(
      fitness({.cause = Cause::not_deterministic, .deterministic = false}, 10, weights), -1.5);
}

TEST(Fitness, FollowsItsWeights) {
  const Weights weights{.speed = 2, .error = 0, .failed_gate = 7};
  EXPECT_DOUBLE_EQ(fitness({.latency_us = 10, .max_error = 1}, 10, weights), 2.0);
  EXPECT_DOUBLE_EQ(fitness({.cause = Cause::crashed}, 10, weights), -7.0);
}

TEST(Outcome, OnlyWhatPassedAndWasTimedIsEligible) {
  EXPECT_TRUE((Outcome{.latency_us = 1}.eligible()));
  EXPECT_FALSE(Outcome{}.eligible());
  EXPECT_FALSE((Outcome{.cause = Cause::incorrect, .latency_us = 1}.eligible()));
}

TEST(Outcome, SurvivesJsonAndBack) {
  const Outcome outcome{
      .cause = Cause::over_budget,
      .detail = "12 bytes of spills",
      .latency_us = 3.25,
      .noise = 0.01,
      .max_error = 2e-4,
      .nan = true,
      .deterministic = false,
      .resources =
          jit::ResourceReport{.registers = 168, .spill_bytes = 12, .serialized_products = true},
      .compile_s = 1.5,
      .check_s = 0.25,
      .time_s = 0.125};
  const json text = outcome_to_json(outcome);
  EXPECT_EQ(outcome_to_json(outcome_from_json(text, "outcome")), text);
  EXPECT_EQ(outcome_to_json(Outcome{}), (json{{"cause", "none"}}));
}

TEST(Outcome, BadJsonIsRefusedByPlace) {
  const auto message = [](const json& value) {
    return message_of([&] { outcome_from_json(value, "t:3"); });
  };
  EXPECT_EQ(message({{"cause", "tired"}}),
            "t:3.cause: expected the name of a cause, found \"tired\"");
  EXPECT_EQ(message({{"cause", "none"}, {"speed", 1}}), "t:3: speed is not known here");
  EXPECT_EQ(message({{"cause", "none"}, {"latency_us", -1}}),
            "t:3.latency_us: expected a number of at least 0, found -1");
  EXPECT_EQ(message(json::object()), "t:3: cause is missing");
}

TEST(Cause, EveryOneHasANameThatLeadsBack) {
  for (int i = 0; i <= static_cast<int>(Cause::abandoned); ++i) {
    const auto cause = static_cast<Cause>(i);
    EXPECT_EQ(cause_from_name(name(cause)), cause);
  }
  EXPECT_FALSE(cause_from_name("tired"));
}

}  // namespace
}  // namespace flashcore::tune
