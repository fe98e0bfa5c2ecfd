#include "cli/tune_flags.h"

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "jit/hasher.h"

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

void add_run_flags(CLI::App& command, TuneFlags& flags) {
  command.add_option("--journal", flags.journal,
                     "The journal, made where it is not: tune.journal unless --simulate is given");
  command.add_flag("--resume", flags.resume,
                   "Take up the journal's last unfinished run of the same search, if there is one");
  command.add_option("--devices", flags.devices, "GPUs by number, alike, a worker for each")
      ->delimiter(',')
      ->capture_default_str();
  command
      .add_option("--peers", flags.peers,
                  "Peers to hold the search against, as `flashcore bench` takes them")
      ->capture_default_str();
  command.add_option("--worker", flags.worker)->group("");
  command.add_option("--records", flags.records,
                     "The folder of tuned records that the winner is added to; the user's own "
                     "($FLASHCORE_TUNED, or tuned in the XDG data folder) without it");
  command
      .add_option("--time-limit", flags.time_limit_s,
                  "Seconds that a compilation, a check or a round may take before its process is "
                  "stopped")
      ->check(CLI::Range(0.1, 1e6))
      ->capture_default_str();
  command.add_option("--rounds", flags.rounds, "Rounds of a candidate's measurement")
      ->check(CLI::Range(3, 1000))
      ->capture_default_str();
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
  command
      .add_option("--target-ratio", flags.target_ratio,
                  "Stop when a candidate takes at most this many times the fastest peer's time")
      ->check(CLI::PositiveNumber);
}

}  // namespace

void add_tune_flags(CLI::App& command, TuneFlags& flags) {
  command.add_option("--family", flags.family, "The family whose Configs are searched");
  add_shape_flags(command, flags.problem);
  command
      .add_option("--fix", flags.fixed,
                  "Search only Configs with these values, as kv_splits=1,stages=2|3")
      ->type_name("FIELD=VALUE|…,…");
  add_search_flags(command, flags);
  add_stop_flags(command, flags);
  add_run_flags(command, flags);
  command.add_option("--record-table", flags.record_table,
                     "Write what became of every candidate to this file, for --simulate");
  CLI::Option* simulate =
      command.add_option("--simulate", flags.simulate, "Search on a recorded table; needs no GPU");
  command
      .add_option("--seeds", flags.seeds,
                  "With --simulate: this many searches of every strategy at every budget, in a "
                  "table")
      ->check(CLI::Range(1, 10000))
      ->needs(simulate);
  command
      .add_flag("--blind-start", flags.search.blind_start,
                "With --simulate: begin at a Config drawn by the seed, not at the family's default")
      ->needs(simulate);
  command
      .add_option("--plot", flags.plot, "With --seeds: the folder for a picture of it, by gnuplot")
      ->needs(simulate);
  command.add_option("--json", flags.json, "Write the result to this file");
}

tune::SearchOptions search_options(const TuneFlags& flags) {
  tune::SearchOptions options = flags.search;
  options.strategy = tune::strategy_from_name(flags.strategy);
  options.weights = parse_weights(flags.weights);
  return options;
}

nlohmann::json course_of(const tune::SearchOptions& options, const tune::Space& space) {
  const tune::Weights& weights = options.weights;
  jit::Hasher configs;
  for (std::size_t i = 0; i < space.size(); ++i) configs.add(space.config(i).to_string());
  return {{"strategy", tune::name(options.strategy)},
          {"seed", options.seed},
          {"population", options.population},
          {"generations", options.generations},
          {"elite", options.elite},
          {"evaluations", options.evaluations},
          {"patience", options.patience},
          {"weights",
           {weights.speed, weights.error, weights.error_unit, weights.nan, weights.failed_gate,
            weights.not_deterministic}},
          {"space", space.size()},
          {"configs", fmt::format("{:016x}", configs.digest())},
          {"start", space.config(tune::start_of(space, options)).to_string()}};
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
