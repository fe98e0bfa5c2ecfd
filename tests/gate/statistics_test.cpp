#include "gate/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "core/error.h"

namespace flashcore::gate {
namespace {

TEST(Statistics, MedianIsTheMiddleOrTheMeanOfTheMiddleTwo) {
  EXPECT_EQ(median(std::vector{3.0, 1.0, 2.0}), 2);
  EXPECT_EQ(median(std::vector{4.0, 1.0, 2.0, 3.0}), 2.5);
  EXPECT_EQ(median(std::vector{7.0}), 7);
}

TEST(Statistics, SummaryHoldsTheSpread) {
  const Summary summary = summarize(std::vector{5.0, 1.0, 2.0, 3.0, 4.0});
  EXPECT_EQ(summary, (Summary{.median = 3, .min = 1, .max = 5, .p25 = 2, .p75 = 4, .samples = 5}));
}

TEST(Statistics, OfNothingIsAnError) {
  EXPECT_THROW(summarize({}), core::Error);
}

TEST(Statistics, MedianIgnoresAnOutlierThatTheMeanWouldNot) {
  EXPECT_EQ(median(std::vector{10.0, 10.0, 10.0, 10.0, 1e6}), 10);
}

TEST(Noise, IsNothingWhereBothHalvesAgree) {
  const std::vector same{10.0, 11.0, 9.0, 10.0};
  EXPECT_EQ(noise_of(same, same), 0);
}

TEST(Noise, ShowsABiasBetweenTheTwoPlacesInARound) {
  const std::vector first{10.0, 11.0, 9.0};
  std::vector second = first;
  for (double& each : second) each /= 1.1;
  EXPECT_NEAR(noise_of(first, second), 0.1, 1e-9);
}

/// The band must cover what a median over rounds of a thing against itself really scatters by.
TEST(Noise, CoversTheScatterOfAMedianRatio) {
  std::mt19937_64 generator(1);
  std::normal_distribution<double> jitter(1.0, 0.05);
  int covered = 0;
  constexpr int experiments = 400;
  for (int i = 0; i < experiments; ++i) {
    std::vector<double> first(15), second(15), third(15);
    for (auto* series : {&first, &second, &third})
      for (double& each : *series) each = 100 * jitter(generator);
    const double off = std::abs(median(round_ratios(first, third)) - 1);
    covered += off <= noise_of(first, second) ? 1 : 0;
  }
  EXPECT_GT(covered, experiments * 9 / 10);
}

TEST(Noise, ShrinksWithMoreRounds) {
  std::mt19937_64 generator(2);
  std::normal_distribution<double> jitter(1.0, 0.05);
  const auto ratios = [&](int rounds) {
    std::vector<double> values(static_cast<std::size_t>(rounds));
    for (double& each : values) each = jitter(generator);
    return values;
  };
  EXPECT_LT(median_error(ratios(1000)), median_error(ratios(10)) / 3);
}

}  // namespace
}  // namespace flashcore::gate
