// Spaces and times that are made up, for searches with no GPU.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "tune/search.h"
#include "tune/space.h"
#include "tune/table.h"

namespace flashcore::tune::test {

inline family::ConfigFields config_of(int block_q, int block_kv, int warps, int stages,
                                      int splits) {
  family::ConfigFields config;
  config.add("head_dim", 64);  // the same for all
  config.add("block_q", block_q);
  config.add("block_kv", block_kv);
  config.add("warps", warps);
  config.add("stages", stages);
  config.add("splits", splits);
  return config;
}

/// 1200 Configs of five fields, of which not every combination is valid.
inline Space hilly_space() {
  std::vector<family::ConfigFields> configs;
  for (const int block_q : {16, 32, 48, 64, 96, 128})
    for (const int block_kv : {16, 32, 48, 64, 96, 128})
      for (const int warps : {1, 2, 4, 8})
        for (const int stages : {1, 2, 3, 4})
          for (const int splits : {1, 2, 4})
            if (block_kv * stages <= 256 && block_q >= 8 * warps)
              configs.push_back(config_of(block_q, block_kv, warps, stages, splits));
  return {configs, config_of(64, 64, 4, 2, 1)};
}

/// A hash of a Config and a seed, in [0, 1).
inline double chance_of(const family::ConfigFields& config, std::uint64_t seed) {
  std::uint64_t hash = seed + 0x9e3779b97f4a7c15U;
  for (const char c : config.to_string())
    hash = (hash ^ static_cast<std::uint64_t>(c)) * 0x100000001b3U;
  hash = (hash ^ (hash >> 29)) * 0xbf58476d1ce4e5b9U;
  return static_cast<double>((hash ^ (hash >> 32)) >> 11) * 0x1p-53;
}

/// Waves of blocks, a latency for each tile that stages hide, tiles that want enough warps, and
/// ruggedness of a few percent.
inline double hilly_us(const family::ConfigFields& config) {
  const auto at = [&](const char* field) { return static_cast<double>(config.at(field)); };
  const double blocks = std::ceil(512 / at("block_q")) * 8 * at("splits");
  const double waves = std::ceil(blocks / 132);
  const double tiles = std::ceil(512 / at("block_kv") / at("splits"));
  const double work = at("block_q") * at("block_kv") / (at("warps") * 700);
  const double pressure = at("block_q") * at("block_kv") / at("warps") > 2048 ? 1.8 : 1;
  const double merge = at("splits") > 1 ? 1.2 : 0;
  const double us = 1.5 + merge + waves * (0.5 + tiles * (work * pressure + 0.6 / at("stages")));
  return us * (1 + 0.03 * chance_of(config, 1));
}

inline Outcome timed(double us) {
  return {.latency_us = us};
}

inline Outcome crashed() {
  return {.cause = Cause::crashed, .detail = "the worker crashed with SIGSEGV"};
}

/// An Evaluate that looks at one Config at a time.
inline Evaluate each(const Space& space,
                     std::function<Outcome(const family::ConfigFields&)> outcome_of) {
  return [&space, outcome_of](std::span<const std::size_t> batch, int) {
    std::vector<Outcome> outcomes;
    for (const std::size_t index : batch) outcomes.push_back(outcome_of(space.config(index)));
    return outcomes;
  };
}

inline Outcome hilly(const family::ConfigFields& config) {
  return timed(hilly_us(config));
}

/// Six in ten take their worker down, never the start.
inline Outcome mostly_crashing(const family::ConfigFields& config) {
  const bool start = config == config_of(64, 64, 4, 2, 1);
  return !start && chance_of(config, 2) < 0.6 ? crashed() : hilly(config);
}

/// The whole space, evaluated.
inline Table table_of_space(const Space& space,
                            const std::function<Outcome(const family::ConfigFields&)>& outcome_of) {
  SearchOptions options;
  options.strategy = StrategyKind::exhaustive;
  const SearchResult result = search(space, options, each(space, outcome_of));
  return table_of(result, space, "made_up",
                  core::contiguous_problem(core::Dtype::float16, 1, 8, -1, 512, -1, 64),
                  {{"gpu", "none"}});
}

}  // namespace flashcore::tune::test
