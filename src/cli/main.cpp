#include <cstdio>
#include <exception>

#include "cli/commands.h"
#include "core/error.h"

namespace {

int exit_code_of(flashcore::core::Status status) {
  using flashcore::core::Status;
  switch (status) {
    case Status::invalid_argument:
    case Status::unsupported:
    case Status::io: return flashcore::cli::exit_usage;
    case Status::no_device: return flashcore::cli::exit_missing;
    default: return flashcore::cli::exit_failed;
  }
}

/// Parses the command line and runs the subcommand it names.
int run(int argc, char** argv) {
  using namespace flashcore;
  CLI::App app{
      "flashcore: exact fused attention on GPUs and CPUs, and the tools that keep it "
      "fast and right"};
  app.require_subcommand(1);
  app.set_version_flag("--version", flashcore_version());
  int exit_code = cli::exit_ok;
  cli::add_info(app, exit_code);
  cli::add_run(app, exit_code);
  cli::add_bench(app, exit_code);
  cli::add_verify(app, exit_code);
  cli::add_emulate(app, exit_code);
  cli::add_gate(app, exit_code);
  cli::add_compile(app, exit_code);
  cli::add_profile(app, exit_code);
  cli::add_tune(app, exit_code);
  cli::add_report(app, exit_code);
  cli::add_worker(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? cli::exit_ok : cli::exit_usage;
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const flashcore::core::Error& error) {
    std::fprintf(stderr, "flashcore: %s\n", error.what());
    return exit_code_of(error.status());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "flashcore: %s\n", error.what());
    return flashcore::cli::exit_failed;
  }
}
