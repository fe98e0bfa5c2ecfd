// What calls take on a GPU under several Configs: the measurements behind a family's defaults.
//
// Reads lines "MASK SHAPE FAMILY CONFIG", as "causal_top_left b=1,h=8,s=512,d=64 forward_tma_wgmma
// consumers=2", and writes them with the microseconds of a cold call after them, or with what is
// wrong. The lines of one Problem that follow each other are timed by turns in the same rounds.
// Ends with 1 where a line was not timed. Outputs are not looked at: that the Configs compute what
// they should is the gates' to say.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/config_line.h"
#include "bench/stopwatch.h"
#include "core/parallel.h"
#include "dispatch/dispatch.h"
#include "gate/statistics.h"
#include "gate/target.h"

namespace flashcore {
namespace {

constexpr int rounds = 5;

/// A line and, once it is set up, its stopwatch.
struct Contender {
  bench::ConfigLine line;
  std::unique_ptr<gate::Target> target = nullptr;
  std::unique_ptr<bench::Stopwatch> stopwatch = nullptr;
  std::vector<double> cold_us = {};
  std::string objection = {};
};

void set_up(Contender& contender) {
  const bench::ConfigLine& line = contender.line;
  try {
    dispatch::Pinned pinned{line.family, std::nullopt};
    if (!line.config.empty()) pinned.config = family::ConfigFields::parse(line.config);
    contender.target = std::make_unique<gate::Target>(
        line.problem(), dispatch::Device{.backend = dispatch::Backend::cuda}, pinned);
  } catch (const std::exception& error) {
    contender.objection = error.what();
  }
}

/// Fills its buffers, which all of a Problem's contenders need at the same time.
void make_ready(Contender& contender) {
  if (contender.target == nullptr) return;
  try {
    contender.stopwatch = bench::make_stopwatch(*contender.target, 1);
  } catch (const std::exception& error) {
    contender.objection = error.what();
  }
}

void time_by_turns(std::span<Contender> contenders) {
  for (Contender& contender : contenders) make_ready(contender);
  for (int round = 0; round < rounds; ++round)
    for (Contender& contender : contenders)
      if (contender.stopwatch != nullptr)
        contender.cold_us.push_back(contender.stopwatch->measure().cold_us);
  for (Contender& contender : contenders) {
    if (contender.objection.empty())
      fmt::print("{} {:.3f}\n", contender.line.text(), gate::median(contender.cold_us));
    else
      fmt::print("{} not timed: {}\n", contender.line.text(), contender.objection);
    contender.stopwatch = nullptr;
  }
  std::fflush(stdout);
}

int run() {
  std::vector<Contender> all;
  for (const bench::ConfigLine& line : bench::read_config_lines(std::cin))
    all.push_back({.line = line});
  core::parallel_for(all.size(), [&](std::size_t i) { set_up(all[i]); });
  for (std::size_t begin = 0; begin < all.size();) {
    std::size_t end = begin + 1;
    while (end < all.size() && all[end].line.same_problem(all[begin].line)) ++end;
    time_by_turns(std::span(all).subspan(begin, end - begin));
    begin = end;
  }
  const auto timed = [](const Contender& contender) { return contender.objection.empty(); };
  return std::ranges::all_of(all, timed) ? 0 : 1;
}

}  // namespace
}  // namespace flashcore

int main(int argc, char**) {
  if (argc > 1) {
    fmt::print(stderr, "usage: config_times < FILE, of lines \"MASK SHAPE FAMILY CONFIG\"\n");
    return 2;
  }
  try {
    return flashcore::run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "config_times: {}\n", error.what());
    return 2;
  }
}
