// The turn of a pipeline's stages: slots of shared memory that are filled and emptied in a circle.
#pragma once

namespace flashcore::device {

template <int Stages>
struct Ring {
  int stage = 0;
  constexpr void advance() { stage = stage + 1 == Stages ? 0 : stage + 1; }
};

}  // namespace flashcore::device
