// What the kernel of lanes/kernel.cuh is given and leaves; shared with the test.
#pragma once

namespace flashcore::lanes {

struct Params {
  const unsigned* g_words;       // [32][8], of each lane
  unsigned* g_pairs;             // [32][2], its first two after transpose_pair
  unsigned* g_refilled;          // [32][8], all of them after refill
  int* g_uniform;                // [32], of the lane's warp
  unsigned long long* g_opaque;  // [32], its first two words as one number
  unsigned* g_not_finite[2];     // [32], of fp16 and bf16: what add_zero_times makes of its words
};

}  // namespace flashcore::lanes
