// The turn of a pipeline's stages: slots of shared memory that are filled and emptied in a circle.
#pragma once

namespace flashcore::device {

template <int Stages>
struct Ring {
  int stage = 0;
  int parity = 0;  // of the turns completed: the phase of a stage's barriers

  constexpr void advance() {
    if (++stage < Stages) return;
    stage = 0;
    parity ^= 1;
  }
  /// The stage of as many advances ago: 1 up to Stages.
  constexpr int before(int advances) const {
    return stage < advances ? stage + Stages - advances : stage - advances;
  }
};

}  // namespace flashcore::device
