// The gates that run the call: correctness, determinism, stability, safety.
#pragma once

#include <cstdint>
#include <string_view>

#include "gate/gate.h"
#include "gate/sampling.h"
#include "gate/target.h"

namespace flashcore::gate {

struct RunOptions {
  std::uint64_t seed = 1;
  int trials = 20;  // of the stability gate; fewer than the rule asks for leave it skipped
};

/// One call on fresh N(0,1) inputs, every row or, where that takes too long, a sample of them.
GateResult run_correctness(const Target& target, const RunOptions& options);
/// The same inputs three times, the output poisoned before each with another pattern, and on the
/// emulator the threads in another order.
GateResult run_determinism(const Target& target, const RunOptions& options);
/// Fresh inputs every time, each result checked.
GateResult run_stability(const Target& target, const RunOptions& options);
/// Guard zones, inputs and padding unchanged; a NaN in one query and in one key reaches the rows it
/// belongs to and no other.
GateResult run_safety(const Target& target, const RunOptions& options);

/// Correctness and determinism at once.
struct Screening {
  Accuracy accuracy;  // of the first run
  bool deterministic = false;
};

/// The call of the target's Problem, N(0,1) inputs, run as the two gates above run it: what a tuner
/// asks of every candidate, with the sample that the correctness gate takes of such a call. The
/// outputs' contents do not matter.
Screening screen(const Target& target, core::HostCall& call, const Sample& sample);
Sample correctness_sample(core::HostCall& call, std::uint64_t seed);

/// On the emulator: the extra turns of the banks that the tiles' copies and loads took, for a
/// family that promises none.
GateResult run_tile_conflicts(const Target& target, const RunOptions& options);

/// By name. Throws invalid_argument for a gate that is none of these.
GateResult run_gate(std::string_view name, const Target& target, const RunOptions& options);

}  // namespace flashcore::gate
