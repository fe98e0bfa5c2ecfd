#include "cli/tune_flags.h"

#include <array>
#include <charconv>
#include <cmath>

#include "core/error.h"

namespace flashcore::cli {

using core::fail;
using core::Status;

namespace {

void add_search_flags(CLI::App& command, TuneFlags& flags) {
  tune::SearchOptions& search = flags.search;
  command.add_option("--strategy", flags.strategy, "evolve, random, exhaustive or anneal")
      ->capture_default_str();
  command.add_option("--seed", search.seed, "Of the search's chance")->capture_default_str();
  command.add_option("--population", search.population, "Configs of a generation")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command.add_option("--generations", search.generations, "Generations of the evolution")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command.add_option("--elite", search.elite, "Part of the population that is kept as it is")
      ->capture_default_str();
  command
      .add_option("--weights", flags.weights,
                  "Of the fitness: speed=1,error=0.4,error_unit=1e-4,nan=1,failed_gate=1,"
                  "not_deterministic=0.5; those that are not named stay")
      ->type_name("NAME=VALUE,…");
}

void add_stop_flags(CLI::App& command, TuneFlags& flags) {
  tune::SearchOptions& search = flags.search;
  command
      .add_option("--evaluations", search.evaluations,
                  "Stop after so many candidates, whatever --generations says")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--patience", search.patience,
                  "Stop after so many generations that find nothing better")
      ->check(CLI::PositiveNumber);
  command.add_option("--budget", search.time_limit_s, "Seconds after which no generation begins")
      ->check(CLI::PositiveNumber);
  command.add_option("--target-us", search.target_us, "Stop when a candidate is as fast")
      ->check(CLI::PositiveNumber);
}

}  // namespace

void add_tune_flags(CLI::App& command, TuneFlags& flags) {
  add_search_flags(command, flags);
  add_stop_flags(command, flags);
  CLI::Option* simulate =
      command.add_option("--simulate", flags.simulate, "Search on a recorded table; needs no GPU");
  command
      .add_option("--seeds", flags.seeds,
                  "With --simulate: this many searches of every strategy at every budget, in a "
                  "table")
      ->check(CLI::Range(1, 10000))
      ->needs(simulate);
  command.add_option("--json", flags.json, "Write the result to this file");
}

tune::SearchOptions search_options(const TuneFlags& flags) {
  tune::SearchOptions options = flags.search;
  options.strategy = tune::strategy_from_name(flags.strategy);
  options.weights = parse_weights(flags.weights);
  return options;
}

tune::Weights parse_weights(std::string_view text) {
  tune::Weights weights;
  const std::array<std::pair<std::string_view, double*>, 6> known{
      {{"speed", &weights.speed},
       {"error", &weights.error},
       {"error_unit", &weights.error_unit},
       {"nan", &weights.nan},
       {"failed_gate", &weights.failed_gate},
       {"not_deterministic", &weights.not_deterministic}}};
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    const auto equals = item.find('=');
    const auto found = std::find_if(known.begin(), known.end(), [&](const auto& each) {
      return each.first == item.substr(0, equals);
    });
    if (equals == std::string_view::npos || found == known.end())
      fail(Status::invalid_argument,
           "weights: '{}' is not NAME=VALUE with a name of speed, error, error_unit, nan, "
           "failed_gate, not_deterministic",
           item);
    const std::string_view digits = item.substr(equals + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), *found->second);
    if (error != std::errc{} || end != digits.data() + digits.size() ||
        !std::isfinite(*found->second) || *found->second < 0)
      fail(Status::invalid_argument, "weights: {} is '{}', which is not a number of at least 0",
           found->first, digits);
  }
  return weights;
}

}  // namespace flashcore::cli
