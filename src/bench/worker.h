// The process in which a variant runs: it answers JSON lines until it is told to quit, crashes, or
// is stopped.
//
// Requests {"do": …} and the answers' members beside "ok":
//   prepare {backend, family, config, problem, ordinal, seed}, emulated: the GPU to emulate, where
//   one is; overlap: whether launches may; config: the fields in which it differs from the family's
//   own
//   ptxas                                      gate, reports
//   compile {arch}, the config being whole     report
//   screen                                     correct, max_error, finite, deterministic, detail
//   gate {gate, trials}                        gate
//   start_timing                               footprint_bytes, sets, launches
//   measure                                    cold_us, warm_us, eager_us
//   check_outputs                              why ("" where they are correct)
//   quit
// An exception is {"ok": false, "error": message, "status": name}. "fault" in any request makes the
// worker misbehave instead: crash, hang, garbage, exit. The tests prove with it what the parent
// does.
#pragma once

namespace flashcore::bench {

/// Serves standard input until it ends. Whatever else writes to standard output goes to standard
/// error. Returns the process's exit status.
int serve_worker();

}  // namespace flashcore::bench
