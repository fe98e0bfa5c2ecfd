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
};

}  // namespace flashcore::device
