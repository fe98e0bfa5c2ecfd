// Lanes that share a row of a product's sums (device/tile/fragment.h).
#pragma once

#include "device/ptx/shuffle.h"

namespace flashcore::device {

/// Swaps words of two neighbouring lanes: the even one gets word 0 of both, the odd one word 1. The
/// whole warp takes part.
inline void transpose_pair(unsigned (&words)[2], int lane) {
  const bool odd = lane % 2 != 0;
  const unsigned received = shuffle_xor(odd ? words[0] : words[1], 1);
  words[0] = odd ? received : words[0];
  words[1] = odd ? words[1] : received;
}

}  // namespace flashcore::device
