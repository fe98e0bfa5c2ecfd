// Bank conflicts of a kernel's tiles, from the emulator's counts.
#pragma once

#include "emulate/counters.h"
#include "gate/gate.h"

namespace flashcore::gate {

/// Of the asynchronous copies into shared memory and the matrix loads from it: turns of the banks
/// beyond the fewest that their bytes take. None are allowed; with no such access nothing was
/// shown, which fails.
GateResult judge_tile_conflicts(const emulate::Counts& counts);

}  // namespace flashcore::gate
