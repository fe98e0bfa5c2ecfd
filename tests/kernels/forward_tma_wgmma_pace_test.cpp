#include "forward_tma_wgmma/pace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "bench/config_line.h"
#include "core/problem.h"
#include "family/family.h"
#include "forward_tma_wgmma/grid.h"
#include "forward_tma_wgmma/params.h"
#include "hopper.h"

namespace flashcore::forward_tma_wgmma {
namespace {

/// What all multiprocessors together have to do.
double work_us(const core::Problem& problem, const Config& config, const Pace& pace) {
  const DealtParams params = params_of(problem, config, hopper);
  const auto tiles = tiles_of(params, config);
  const double tasks = params.tasks;
  return tasks * pace.task + tasks / static_cast<double>(tiles.size()) * pace.tile *
                                 std::accumulate(tiles.begin(), tiles.end(), 0.0);
}

TEST(ForwardTmaWgmmaPace, ACallTakesNoLessThanItsLongestTaskAndItsPartOfTheWork) {
  std::mt19937 random(6);
  const auto any = [&](int least, int most) {
    return std::uniform_int_distribution<int>(least, most)(random);
  };
  for (int i = 0; i < 200; ++i) {
    const auto problem =
        square(1, any(1, 16), any(1, 4096), 64,
               i % 2 == 0 ? core::MaskKind::none : core::MaskKind::causal_top_left);
    const Config config{.consumers = any(1, 3), .kv_splits = 1 << any(0, 2), .persistent = 0};
    const Pace pace{.task = 0.1 * any(1, 50), .tile = 0.1 * any(1, 20)};
    const double us = call_us(problem, config, pace, hopper);
    const auto tiles = tiles_of(params_of(problem, config, hopper), config);
    const double longest = pace.task + pace.tile * tiles.front() / config.kv_splits;
    const double share = work_us(problem, config, pace) / hopper.multiprocessors;
    EXPECT_GT(us, longest) << problem.to_string();
    EXPECT_GT(us, share) << problem.to_string();
    if (config.kv_splits == 1 && few_rounds(tasks_of(problem, config),
                                            hopper)) {  // what list scheduling is never worse than
      EXPECT_LT(us, longest + share + 1.1) << problem.to_string();
    }
  }
}

TEST(ForwardTmaWgmmaPace, BlocksOfOneTaskAreNotWaitedForInMoreThanAFewRounds) {
  const Config config{.persistent = 0};
  const Pace pace{.task = 1, .tile = 1};
  const auto us = [&](int heads) {
    return call_us(square(1, heads, 128, 64, core::MaskKind::none), config, pace, hopper);
  };
  EXPECT_EQ(us(4 * 132), 1 + 4 * 2);
  EXPECT_EQ(us(4 * 132 + 1), std::numeric_limits<double>::infinity());
}

/// Microseconds of a Problem under each Config that was timed.
struct Measured {
  core::Problem problem;
  std::map<std::string, double> us;
};

/// What benchmarks/config_times wrote.
std::map<std::string, Measured> read_measured(const std::string& path,
                                              const family::Family& family) {
  std::map<std::string, Measured> all;
  std::ifstream file(path);
  for (const bench::ConfigLine& line : bench::read_config_lines(file)) {
    Measured& measured = all[line.mask + ' ' + line.shape];
    measured.problem = line.problem();
    auto fields = family::overlaid(family.default_config(measured.problem, hopper),
                                   family::ConfigFields::parse(line.config));
    if (fields.at("kv_splits") > 1) fields.set("persistent", 1);  // the same program
    measured.us[fields.to_string()] = line.us.value();
  }
  return all;
}

/// A file of docs/data, and of how many Problems it is.
struct Times {
  const char* file;
  std::size_t problems;
};

class ForwardTmaWgmmaTimes : public ::testing::TestWithParam<Times> {};

TEST_P(ForwardTmaWgmmaTimes, DefaultsAreNearlyTheFastestConfigsThatWereMeasured) {
  const auto* family = family::find_family("forward_tma_wgmma");
  const auto all =
      read_measured(FLASHCORE_SOURCE_DIR "/docs/data/" + std::string{GetParam().file}, *family);
  ASSERT_EQ(all.size(), GetParam().problems);
  double logs = 0;
  for (const auto& [name, measured] : all) {
    const auto config = family->default_config(measured.problem, hopper).to_string();
    const auto own = measured.us.find(config);
    ASSERT_NE(own, measured.us.end()) << name << ": " << config << " was not timed";
    const auto by_time = [](const auto& a, const auto& b) { return a.second < b.second; };
    const auto best = std::min_element(measured.us.begin(), measured.us.end(), by_time);
    EXPECT_LT(own->second, best->second * 1.07) << name << ": " << best->first;
    logs += std::log(own->second / best->second);
  }
  EXPECT_LT(std::exp(logs / static_cast<double>(all.size())), 1.0025);
}

INSTANTIATE_TEST_SUITE_P(Gpus, ForwardTmaWgmmaTimes,
                         ::testing::Values(Times{"2026-11-24_h100_config_times.txt", 236},
                                           Times{"2026-11-29_h200_config_times.txt", 226}),
                         [](const auto& test) {
                           return std::string(test.param.file).substr(11, 4);
                         });

}  // namespace
}  // namespace flashcore::forward_tma_wgmma
