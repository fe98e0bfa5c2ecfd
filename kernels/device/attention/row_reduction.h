// What the lanes that share a row of a product's sums (device/tile/fragment.h) find together.
#pragma once

#include "device/ptx/math.h"
#include "device/ptx/shuffle.h"
#include "device/ptx/vote.h"
#include "device/tile/fragment.h"

namespace flashcore::device {

inline float row_maximum(float value) {
#pragma unroll
  for (int distance = 1; distance < lanes_per_row; distance *= 2)
    value = maximum(value, shuffle_xor(value, distance));
  return value;
}

inline float row_total(float value) {
#pragma unroll
  for (int distance = 1; distance < lanes_per_row; distance *= 2)
    value += shuffle_xor(value, distance);
  return value;
}

/// Whether in every row some lane says yes. The whole warp takes part.
inline bool every_row_has(bool answer) {
  unsigned lanes = warp_ballot(answer);
  lanes |= lanes >> 1;
  lanes |= lanes >> 2;  // a row's first lane knows of all four
  return (lanes & 0x11111111U) == 0x11111111U;
}

}  // namespace flashcore::device
