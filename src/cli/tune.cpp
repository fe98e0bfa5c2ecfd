// flashcore tune: the search for a family's best Config for a Problem.
#include <memory>

#include "cli/commands.h"
#include "cli/tune_flags.h"
#include "cli/tune_run.h"
#include "core/error.h"

namespace flashcore::cli {

namespace {

constexpr const char* tune_footer = R"(
Searches a family's Configs for a Problem on this GPU: each candidate is compiled, checked and timed
in a process of its own, the finalists and the default are timed again in the same rounds, and who
is fastest and passes every gate becomes a record that the library uses by itself (docs/tuning.md).

Examples:
  flashcore tune --family forward_mma --shape b=1,h=8,s=512,d=64
  flashcore tune --family forward_mma --shape b=1,h=8,s=512,d=64 --resume     # after it was killed
  flashcore tune --family forward_mma --strategy exhaustive --fix stages=2 --record-table t.jsonl
  flashcore tune --simulate t.jsonl --seed 7                                  # needs no GPU
  flashcore tune --simulate t.jsonl --seeds 50 --blind-start

Exit status: 0 a Config passed its gates, 1 none did, 2 bad usage or input, 3 no GPU.)";

int run_tune(const TuneFlags& flags) {
  if (!flags.simulate.empty()) return tune_on_table(flags);
  if (flags.family.empty())
    core::fail(core::Status::invalid_argument,
               "family: which one is searched? (or --simulate a table)");
  return tune_on_gpu(flags);
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
