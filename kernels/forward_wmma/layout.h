// forward_wmma's shared memory. Rows are padded by 16 bytes (elements) or 32 (floats): eight
// neighbouring rows then begin in different banks, and fragments are read without conflicts.
#pragma once

#include "forward_wmma/config.h"

namespace flashcore::forward_wmma {

/// Elements, or floats, from one row to the next.
constexpr int head_stride(const Config& config) {
  return config.head_dim + 8;
}
constexpr int key_stride(const Config& config) {
  return config.block_kv + 8;
}

struct Layout {
  int s_row_factor;  // float [block_q]
  int s_q;           // T [block_q][head_stride]
  int s_k;           // T [stages][block_kv][head_stride]
  int s_v;           // T [stages][block_kv][head_stride]
  int s_scores;      // float [block_q][key_stride]
  int s_probs;       // T [block_q][key_stride]
  int s_out;         // float [block_q][head_stride], at the end, where the tiles were
  int total;         // bytes
};

/// Byte offsets, multiples of 128.
constexpr Layout layout(const Config& config) {
  constexpr auto aligned = [](int bytes) { return (bytes + 127) / 128 * 128; };
  const int tile = config.stages * config.block_kv * head_stride(config) * 2;
  Layout map{};
  map.s_q = map.s_row_factor + aligned(config.block_q * 4);
  map.s_k = map.s_q + aligned(config.block_q * head_stride(config) * 2);
  map.s_v = map.s_k + aligned(tile);
  map.s_scores = map.s_v + aligned(tile);
  map.s_probs = map.s_scores + aligned(config.block_q * key_stride(config) * 4);
  const int end = map.s_probs + aligned(config.block_q * key_stride(config) * 2);
  map.s_out = map.s_q;
  const int out_end = map.s_out + aligned(config.block_q * head_stride(config) * 4);
  map.total = end > out_end ? end : out_end;
  return map;
}

}  // namespace flashcore::forward_wmma
