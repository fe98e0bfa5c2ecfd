// The subcommands of `flashcore`, one file each. Every add_… registers one on the application; its
// callback leaves the process's exit status in `exit_code`.
#pragma once

#include <CLI/CLI.hpp>

namespace flashcore::cli {

/// 0 success, 1 a gate or check failed, 2 bad usage or input, 3 the machine lacks what was asked.
enum ExitCode : int { exit_ok = 0, exit_failed = 1, exit_usage = 2, exit_missing = 3 };

void add_info(CLI::App& app, int& exit_code);
void add_run(CLI::App& app, int& exit_code);
void add_bench(CLI::App& app, int& exit_code);
void add_verify(CLI::App& app, int& exit_code);
void add_emulate(CLI::App& app, int& exit_code);
void add_gate(CLI::App& app, int& exit_code);
void add_compile(CLI::App& app, int& exit_code);
/// And, hidden, the process that the profiler watches.
void add_profile(CLI::App& app, int& exit_code);
void add_tune(CLI::App& app, int& exit_code);
void add_report(CLI::App& app, int& exit_code);
/// Hidden: the process in which a variant is measured.
void add_worker(CLI::App& app, int& exit_code);

}  // namespace flashcore::cli
