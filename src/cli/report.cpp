// flashcore report: result files as pictures and a page.
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "core/error.h"
#include "report/plot.h"
#include "report/report.h"
#include "report/tuning.h"
#include "tune/journal.h"

namespace flashcore::cli {

namespace {

struct ReportFlags {
  std::vector<std::string> files;
  std::string out;
};

constexpr const char* report_footer = R"(
Draws the ladder, the roofline, the sweep and the profiler's stall reasons, whichever the files hold,
with gnuplot, and writes them into one page with the numbers in tables. The page needs no other file;
each picture and the gnuplot script that drew it lie beside it.

Of a journal of `flashcore tune`: the fitness over the evaluations, the fields against the time, the
failures by cause, the winner against the default and the peers.

Examples:
  flashcore report results/*.json --out results/report
  flashcore report tune.journal --out results/tuning

Exit status: 0 written, 2 a file is no result or the folder cannot be written, 3 no gnuplot.)";

int run_report(const ReportFlags& flags) {
  const bool is_journal = tune::is_database(flags.files.front());
  if (is_journal && flags.files.size() > 1)
    core::fail(core::Status::invalid_argument, "report: {} is a journal, and reported alone",
               flags.files.front());
  const auto runs =
      is_journal ? tune::read_journal(flags.files.front()) : std::vector<tune::JournalRun>{};
  const auto results = is_journal ? report::Results{} : report::read_files(flags.files);
  const auto gnuplot = report::find_gnuplot();
  if (gnuplot.empty()) {
    fmt::print(stderr,
               "flashcore: gnuplot draws the pictures and is not in PATH; on Debian, apt-get "
               "install gnuplot-nox\n");
    return exit_missing;
  }
  const report::Drawn drawn = is_journal ? report::write_tuning_report(runs, gnuplot, flags.out)
                                         : report::write_report(results, gnuplot, flags.out);
  for (const std::string& file : drawn.files) fmt::print("{}\n", file);
  for (const std::string& why : drawn.missing) fmt::print("not drawn: {}\n", why);
  return exit_ok;
}

}  // namespace

void add_report(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("report", "Result files as pictures and one page");
  const auto flags = std::make_shared<ReportFlags>();
  command->footer(report_footer);
  command
      ->add_option("FILE", flags->files,
                   "Results of `flashcore bench` and `flashcore profile`, or one journal of "
                   "`flashcore tune`")
      ->required();
  command->add_option("--out", flags->out, "The folder to write into; made where it is not")
      ->required();
  command->callback([flags, &exit_code] { exit_code = run_report(*flags); });
}

}  // namespace flashcore::cli
