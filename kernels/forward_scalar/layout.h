// forward_scalar's shared memory: one tile of keys and one of values, widened to fp32.
#pragma once

#include "forward_scalar/config.h"

namespace flashcore::forward_scalar {

struct Layout {
  int s_k;    // byte offset of float [block_kv][head_dim]
  int s_v;    // byte offset of float [block_kv][head_dim]
  int total;  // bytes
};

constexpr Layout layout(const Config& config) {
  const int tile = config.block_kv * config.head_dim * 4;
  return {.s_k = 0, .s_v = tile, .total = 2 * tile};
}

}  // namespace flashcore::forward_scalar
