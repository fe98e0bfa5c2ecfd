// forward_mma's arguments.
#pragma once

#include "device/attention/forward_params.h"
#include "device/tile/divisor.h"

namespace flashcore::forward_mma {

/// Lengths are below this, and a band's bounds are clamped to it: their sums stay in 32 bits.
inline constexpr int band_limit = 1 << 30;

/// What one split found for one row: weights are 2^(score - max), in base 2.
struct PartialRow {
  float max;
  float sum;
};

/// scale_log2e is that of |scale|, and never 0, so that -inf times it stays -inf.
struct Params : device::ForwardParams {
  unsigned flip_q_sign = 0;  // xored with pairs of elements of Q: the scale's sign
  int band_low = 0;          // the band's, within +-band_limit
  int band_high = 0;

  // With kv_splits > 1, where rows count through [batch, heads_q, seq_q]:
  device::Divisor kv_splits;
  device::Divisor rows_of_head;          // seq_q
  float* g_partial_out = nullptr;        // [kv_splits, rows, head_dim], not yet divided by sum
  PartialRow* g_partial_rows = nullptr;  // [kv_splits, rows]
  long long rows = 0;                    // batch * heads_q * seq_q
};

/// The lengths, which supports() keeps below band_limit.
constexpr int seq_q(const Params& params) {
  return static_cast<int>(params.seq_q);
}
constexpr int seq_kv(const Params& params) {
  return static_cast<int>(params.seq_kv);
}

}  // namespace flashcore::forward_mma
