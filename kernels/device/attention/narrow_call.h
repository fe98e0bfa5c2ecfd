// A call whose lengths and band fit 32 bits: what kernels pass and ask then, and which keys rows
// look at. Shared with the host, for its tests.
#pragma once

#include "device/attention/forward_params.h"

namespace flashcore::device {

/// Lengths are below this, and a band's bounds are clamped to it: their sums stay in 32 bits.
inline constexpr int band_limit = 1 << 30;

/// scale_log2e is that of |scale|, and never 0, so that -inf times it stays -inf.
struct NarrowParams : ForwardParams {
  unsigned flip_q_sign = 0;  // xored with pairs of elements of Q: the scale's sign
  int band_low = 0;          // the band's, within +-band_limit
  int band_high = 0;
};

constexpr int seq_q(const NarrowParams& params) {
  return static_cast<int>(params.seq_q);
}
constexpr int seq_kv(const NarrowParams& params) {
  return static_cast<int>(params.seq_kv);
}

/// Keys [begin, end); none where end <= begin.
struct Keys {
  int begin;
  int end;
  constexpr int count() const { return end > begin ? end - begin : 0; }
  constexpr bool empty() const { return end <= begin; }
};

constexpr Keys intersection(Keys a, Keys b) {
  return {a.begin > b.begin ? a.begin : b.begin, a.end < b.end ? a.end : b.end};
}

/// The keys between the first that row `first` sees and the last that row `last` sees: what one row
/// sees, what some rows see, and, with `last` the earlier row, what all of them see.
constexpr Keys keys_between(const NarrowParams& params, int first, int last) {
  const int begin = first + params.band_low;
  const int end = last + params.band_high + 1;
  return {begin > 0 ? begin : 0, end < seq_kv(params) ? end : seq_kv(params)};
}

constexpr Keys keys_of_row(const NarrowParams& params, int row) {
  return keys_between(params, row, row);
}

/// The last of `rows` rows from first_row on that exists.
constexpr int last_row(const NarrowParams& params, int first_row, int rows) {
  const int end = first_row + rows;
  return (end < seq_q(params) ? end : seq_q(params)) - 1;
}

}  // namespace flashcore::device
