// flashcore tune: the search for a family's best Config for a Problem.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "bench/shape.h"
#include "cli/commands.h"
#include "cli/result_file.h"
#include "cli/tune_flags.h"
#include "cli/tune_report.h"
#include "core/error.h"
#include "io/file.h"
#include "tune/table.h"

namespace flashcore::cli {

using core::fail;
using core::Status;

namespace {

constexpr const char* tune_footer = R"(
Replays the search for a family's best Config on a recorded table.

Examples:
  flashcore tune --simulate data/tables/TABLE.jsonl
  flashcore tune --simulate data/tables/TABLE.jsonl --seeds 50

Exit status: 0 a Config passed its gates, 1 none did, 2 bad usage or input, 3 no table was given.)";

int simulate_once(const TuneFlags& flags, const tune::Replay& replay) {
  const tune::SearchOptions options = search_options(flags);
  TuneProgress progress(tune::evaluation_limit(replay.space(), options), {});
  const tune::SearchResult result = tune::search(
      replay.space(), options,
      [&](std::span<const std::size_t> batch, int) { return replay.evaluate(batch); },
      [&](const tune::SearchResult& so_far) { progress.generation_done(so_far); });
  fmt::print("{}", tune_summary(result, replay.space()));
  if (!flags.json.empty()) write_json(flags.json, search_to_json(result, replay.space()));
  return result.best ? exit_ok : exit_failed;
}

int simulate(const TuneFlags& flags) {
  if (!flags.json.empty()) io::OutputFile{flags.json};  // found out now
  const tune::Replay replay(tune::read_table(flags.simulate));
  if (flags.seeds == 1) return simulate_once(flags, replay);
  const auto points = tune::study(replay, search_options(flags), flags.seeds);
  fmt::print("Slower than the table's best, median over {} seeds (and quartiles):\n{}", flags.seeds,
             study_table(points));
  if (!flags.json.empty()) write_json(flags.json, tune::study_to_json(points));
  return exit_ok;
}

int run_tune(const TuneFlags& flags) {
  if (!flags.simulate.empty()) return simulate(flags);
  fail(Status::no_device,
       "simulate: a recorded table is needed; searching on a GPU is not there yet");
}

}  // namespace

void add_tune(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("tune", "Search for the best Config for a Problem");
  const auto flags = std::make_shared<TuneFlags>();
  command->footer(tune_footer);
  add_tune_flags(*command, *flags);
  command->callback([flags, &exit_code] { exit_code = run_tune(*flags); });
}

}  // namespace flashcore::cli
