// The four lanes that share a row of a product's sums (device/tile/fragment.h).
#pragma once

#include "device/ptx/shuffle.h"

namespace flashcore::device {

/// Lane q of four gets word q of each of them, in their order. The whole warp takes part.
inline void transpose_quad(unsigned (&words)[4], int lane) {
  const bool upper = (lane & 2) != 0;  // swaps the corners of 2 x 2 words with two lanes further
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const unsigned received = shuffle_xor(upper ? words[i] : words[i + 2], 2);
    words[i] = upper ? received : words[i];
    words[i + 2] = upper ? words[i + 2] : received;
  }
  const bool odd = (lane & 1) != 0;  // then of single words with the neighbour
#pragma unroll
  for (int i = 0; i < 4; i += 2) {
    const unsigned received = shuffle_xor(odd ? words[i] : words[i + 1], 1);
    words[i] = odd ? received : words[i];
    words[i + 1] = odd ? words[i + 1] : received;
  }
}

}  // namespace flashcore::device
