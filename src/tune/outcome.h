// What became of a candidate, and how good that is.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "jit/binary.h"

namespace flashcore::tune {

/// Why a candidate is out of the search; none where it is not.
enum class Cause {
  none,
  invalid,            // for this Problem on this GPU
  compile_failed,     // the compiler refused it
  over_budget,        // spills, stack, or more registers or shared memory than it may have
  incorrect,          // the oracle disagrees
  not_deterministic,  // the same call, other bits
  crashed,            // took its worker down with a signal
  hung,               // no answer within the limit
  garbage,            // answered what is no answer
  exited,             // the worker left without an answer
  out_of_memory,
  device_failed,  // an error of the driver, after which the worker is replaced
  abandoned,      // was running when the tuner itself ended
};

std::string_view name(Cause cause);
std::optional<Cause> cause_from_name(std::string_view text);

/// Whether it cost a worker, or perhaps the tuner: such a candidate is never run again.
bool took_worker_down(Cause cause);

struct Outcome {
  Cause cause = Cause::none;
  std::string detail = {};  // for people: the compiler's, the oracle's or the driver's words
  double latency_us = 0;    // of a call with cold buffers, the median; 0: not timed
  double noise = 0;         // how far that may be off, as a fraction
  double max_error = 0;     // max |o - oracle|
  bool nan = false;         // a NaN or an infinity where the oracle has a number
  bool deterministic = true;
  std::optional<jit::ResourceReport> resources = {};  // with the dynamic shared memory
  double compile_s = 0, check_s = 0, time_s = 0;      // what it took

  /// It passed every gate and was timed: only such a candidate can win.
  [[nodiscard]] bool eligible() const { return cause == Cause::none && latency_us > 0; }
};

nlohmann::json outcome_to_json(const Outcome& outcome);
/// Throws invalid_argument naming the place, for unknown members too.
Outcome outcome_from_json(const nlohmann::json& json, const std::string& path);

/// How much each part of the fitness counts.
struct Weights {
  double speed = 1.0;  // times baseline_us / latency_us
  double error = 0.4;  // times max_error / error_unit, at most 1
  double error_unit = 1e-4;
  double nan = 1.0;
  double failed_gate = 1.0;
  double not_deterministic = 0.5;
};

/// The speed as a multiple of the baseline's, less the penalties. A candidate that was not timed
/// has no speed.
double fitness(const Outcome& outcome, double baseline_us, const Weights& weights);

}  // namespace flashcore::tune
