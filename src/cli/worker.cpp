#include "bench/worker.h"

#include "cli/commands.h"

namespace flashcore::cli {

void add_worker(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("worker", "The process in which a variant is measured");
  command->group("");  // not for people
  command->callback([&exit_code] { exit_code = bench::serve_worker(); });
}

}  // namespace flashcore::cli
