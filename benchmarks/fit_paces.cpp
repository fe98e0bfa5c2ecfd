// Fits forward_tma_wgmma's paces to what config_times measured.
//
// Reads config_times' lines, of blocks with one task each. For each head_dim and tile: what a task
// and each of its tiles take (the numbers in defaults.cpp), and by how much the estimate of
// pace.cpp then misses the times, as a root mean square.
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <exception>
#include <iostream>
#include <map>
#include <tuple>
#include <vector>

#include "bench/config_line.h"
#include "core/gpu_limits.h"
#include "family/config.h"
#include "family/family.h"
#include "forward_tma_wgmma/config.h"
#include "forward_tma_wgmma/pace.h"

namespace flashcore {
namespace {

using forward_tma_wgmma::Config;
using forward_tma_wgmma::Pace;

const core::GpuLimits hopper = core::limits_of({9, 0, true});

struct Measured {
  core::Problem problem;
  Config config;
  double us;
};

using Tiles = std::tuple<int, int, int>;  // head_dim, consumers, block_kv

std::map<Tiles, std::vector<Measured>> read_measured() {
  const auto* family = family::find_family("forward_tma_wgmma");
  std::map<Tiles, std::vector<Measured>> all;
  for (const bench::ConfigLine& line : bench::read_config_lines(std::cin)) {
    if (!line.us || line.family != family->name()) continue;
    const core::Problem problem = line.problem();
    const auto config = family::from_fields<Config>(family::overlaid(
        family->default_config(problem, hopper), family::ConfigFields::parse(line.config)));
    // More than a few rounds of blocks: nothing that the estimate is for.
    if (stays(config) || !std::isfinite(call_us(problem, config, {1, 1}, hopper))) continue;
    all[{config.head_dim, config.consumers, config.block_kv}].push_back(
        {problem, config, *line.us});
  }
  return all;
}

double missed_by(const std::vector<Measured>& all, const Pace& pace) {
  double squares = 0;
  for (const Measured& one : all)
    squares += std::pow(call_us(one.problem, one.config, pace, hopper) / one.us - 1, 2);
  return std::sqrt(squares / static_cast<double>(all.size()));
}

/// Steps downhill until the steps are smaller than what is worth writing down.
Pace fit(const std::vector<Measured>& all) {
  Pace best{.task = 3, .tile = 1};
  double least = missed_by(all, best);
  for (double step = 1; step > 0.04;) {
    const double before = least;
    for (const Pace& by : {Pace{step, 0}, Pace{-step, 0}, Pace{0, step / 5}, Pace{0, -step / 5}}) {
      const Pace tried{.task = best.task + by.task, .tile = best.tile + by.tile};
      if (const double missed = missed_by(all, tried); missed < least) {
        least = missed;
        best = tried;
      }
    }
    if (least == before) step /= 2;
  }
  return best;
}

int run() {
  const auto measured = read_measured();
  if (measured.empty()) {
    fmt::print(stderr, "fit_paces: no times of forward_tma_wgmma's blocks with one task each\n");
    return 1;
  }
  fmt::print("head_dim consumers block_kv  times  task us  tile us  missed by\n");
  for (const auto& [tiles, all] : measured) {
    const auto [head_dim, consumers, block_kv] = tiles;
    const Pace pace = fit(all);
    fmt::print("{:8} {:9} {:8} {:6} {:8.2f} {:8.3f} {:9.1f}%\n", head_dim, consumers, block_kv,
               all.size(), pace.task, pace.tile, 100 * missed_by(all, pace));
  }
  return 0;
}

}  // namespace
}  // namespace flashcore

int main(int argc, char**) {
  if (argc > 1) {
    fmt::print(stderr, "usage: fit_paces < FILE, which config_times wrote\n");
    return 2;
  }
  try {
    return flashcore::run();
  } catch (const std::exception& error) {
    fmt::print(stderr, "fit_paces: {}\n", error.what());
    return 2;
  }
}
