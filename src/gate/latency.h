// The latency gate: the target, the peers, and whether the numbers can be true at all.
#pragma once

#include <optional>

#include "gate/record.h"

namespace flashcore::gate {

/// Targets that the user set; where absent, those of the rules.
struct LatencyTargets {
  std::optional<double> cold_us;
  std::optional<double> ratio;
};

/// From the record's timing, noise, ratio and roofline. `incorrect_timed_outputs`: of the outputs
/// that the timed launches left, those that the oracle refuses. Skipped where nothing was measured
/// or nothing is asked of this Problem.
GateResult judge_latency(const CaseRecord& record, int incorrect_timed_outputs,
                         const LatencyTargets& targets);

}  // namespace flashcore::gate
