// flashcore tune --simulate: searches on a recorded table.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "bench/provenance.h"
#include "cli/commands.h"
#include "cli/result_file.h"
#include "cli/tune_report.h"
#include "cli/tune_run.h"
#include "core/error.h"
#include "gate/record.h"
#include "io/file.h"
#include "io/problem_json.h"
#include "report/tuning.h"
#include "tune/journal.h"
#include "tune/table.h"
#include "tune/trial.h"

namespace flashcore::cli {

namespace {

/// The table's outcomes, each told as if it had been run.
tune::Trial trial_on(const tune::Replay& replay) {
  return [&replay](std::span<const family::ConfigFields> configs, const tune::TrialHooks& hooks) {
    std::vector<tune::Outcome> outcomes;
    for (std::size_t i = 0; i < configs.size(); ++i) {
      const std::size_t index = *replay.space().find(configs[i]);
      hooks.launching(i);
      outcomes.push_back(replay.evaluate(std::span{&index, 1}).front());
      hooks.done(i, outcomes.back());
    }
    return outcomes;
  };
}

tune::Subject subject_of(const tune::Replay& replay) {
  return {.family = replay.table().family,
          .problem = io::problem_to_json(replay.table().problem),
          .gpu = "simulated",
          .source_hash = ""};
}

int search_table(const TuneFlags& flags, const tune::Replay& replay) {
  const tune::SearchOptions options = search_options(flags);
  std::optional<tune::Journal> journal;
  std::int64_t run = 0;
  std::optional<tune::JournaledTrial> journaled;
  if (!flags.journal.empty()) {
    journal.emplace(flags.journal);
    run = begin_or_resume(*journal, flags.resume, subject_of(replay),
                          course_of(options, replay.space()));
    journaled.emplace(*journal, run, subject_of(replay), replay.space(), trial_on(replay));
  }
  TuneProgress progress(tune::evaluation_limit(replay.space(), options));
  const tune::SearchResult result = tune::search(
      replay.space(), options,
      [&](std::span<const std::size_t> batch, int generation) {
        return journaled ? journaled->evaluate(batch, generation) : replay.evaluate(batch);
      },
      [&](const tune::SearchResult& so_far) { progress.generation_done(so_far); });
  if (journal) journal->finish(run, {{"stop", name(result.stop)}});
  fmt::print("{}", tune_summary(result, replay.space()));
  if (!flags.json.empty()) write_json(flags.json, search_to_json(result, replay.space()));
  return result.best ? exit_ok : exit_failed;
}

}  // namespace

int tune_on_table(const TuneFlags& flags) {
  if (!flags.json.empty()) io::OutputFile{flags.json};  // found out now
  const tune::Replay replay(tune::read_table(flags.simulate));
  if (flags.seeds == 1) return search_table(flags, replay);
  if (!flags.plot.empty()) io::make_folder(flags.plot, "plot");
  const auto points = tune::study(replay, search_options(flags), flags.seeds);
  fmt::print("Slower than the table's best, median over {} seeds (and quartiles):\n{}", flags.seeds,
             study_table(points));
  if (!flags.json.empty()) write_json(flags.json, tune::study_to_json(points));
  if (flags.plot.empty()) return exit_ok;
  const auto gnuplot = report::find_gnuplot();
  if (gnuplot.empty()) core::fail(core::Status::no_device, "plot: gnuplot is not in PATH");
  draw(report::study_picture(points), gnuplot, flags.plot);
  return exit_ok;
}

}  // namespace flashcore::cli
