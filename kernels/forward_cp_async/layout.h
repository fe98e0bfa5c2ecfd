// forward_cp_async's shared memory. Rows are padded by 16 bytes (elements) or 32 (floats): eight
// neighbouring rows then begin in different banks.
#pragma once

#include "forward_cp_async/config.h"

namespace flashcore::forward_cp_async {

/// Elements, or floats, from one row to the next.
constexpr int head_stride(const Config& config) {
  return config.head_dim + 8;
}
constexpr int group_stride(const Config& config) {
  return group_keys(config) + 8;
}

struct Layout {
  int k_full;  // Mbarrier [stages], and so the next two; none where everyone loads
  int v_full;
  int empty;
  int s_group_max;    // float [key_groups][block_q]
  int s_group_sum;    // float [key_groups][block_q]
  int s_inverse_sum;  // float [block_q]
  int s_row_factor;   // float [consumer_warps][16]
  int s_q;            // T [block_q][head_stride]
  int s_scores;       // float [consumer_warps][16][group_stride]; probabilities take their place
  int s_k;            // T [stages][block_kv][head_stride]
  int s_v;            // T [stages][block_kv][head_stride]
  int s_out;          // float [key_groups][block_q][head_stride], at the end, where the tiles were
  int total;          // bytes
};

/// Byte offsets, multiples of 128.
constexpr Layout layout(const Config& config) {
  constexpr auto aligned = [](int bytes) { return (bytes + 127) / 128 * 128; };
  const int barriers = specialised(config) ? config.stages * 8 : 0;
  const int tile = config.stages * config.block_kv * head_stride(config) * 2;
  const int group_rows = config.key_groups * config.block_q * 4;
  Layout map{};
  map.v_full = map.k_full + barriers;
  map.empty = map.v_full + barriers;
  map.s_group_max = aligned(map.empty + barriers);
  map.s_group_sum = map.s_group_max + aligned(group_rows);
  map.s_inverse_sum = map.s_group_sum + aligned(group_rows);
  map.s_row_factor = map.s_inverse_sum + aligned(config.block_q * 4);
  map.s_q = map.s_row_factor + aligned(consumer_warps(config) * edge * 4);
  map.s_scores = map.s_q + aligned(config.block_q * head_stride(config) * 2);
  map.s_k = map.s_scores + aligned(consumer_warps(config) * edge * group_stride(config) * 4);
  map.s_v = map.s_k + aligned(tile);
  const int end = map.s_v + aligned(tile);
  map.s_out = map.s_scores;
  const int out_end =
      map.s_out + aligned(config.key_groups * config.block_q * head_stride(config) * 4);
  map.total = end > out_end ? end : out_end;
  return map;
}

}  // namespace flashcore::forward_cp_async
