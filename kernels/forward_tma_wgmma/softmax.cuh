// A warpgroup's softmax, on the sums of its products. A lane holds of two rows, lane / 4 and
// lane / 4 + 8 of its warp's 16, every element whose column is 2 * (lane % 4) or one more,
// modulo 8.
#pragma once

#include "device/attention/online_softmax.h"
#include "device/attention/row_reduction.h"
#include "device/ptx/element.h"
#include "device/ptx/vote.h"
#include "device/tile/fragment.h"
#include "forward_tma_wgmma/config.h"

namespace flashcore::forward_tma_wgmma {

template <Config C>
using Scores = float[C.block_kv / 2];
/// 16 keys make one A fragment.
template <Config C>
using Weights = unsigned[key_steps(C)][4];
template <Config C>
using Output = float[C.head_dim / 2];

/// Which of a lane's two rows element i of its sums belongs to.
constexpr int half_of(int i) {
  return i / 2 % 2;
}

/// A bit for each of the first 32 keys that a lane holds of a row: whether it lies below `key`,
/// counted from the lane's first.
constexpr unsigned lane_keys_below(int key) {
  const int inside = key < 0 ? 0 : key < 128 ? key : 128;
  const int in_pair = inside % 8 < 2 ? inside % 8 : 2;
  return static_cast<unsigned>((1ULL << (inside / 8 * 2 + in_pair)) - 1);
}

/// Sets the scores of keys outside [begin, end), which row `half` does not see, to -inf. The keys
/// are counted from the first whose score this lane holds. By bits, which take an instruction for
/// seven keys and one for each, where comparisons take three.
template <Config C, int Keys>
void hide_keys(Scores<C>& r_scores, int half, int begin, int end) {
#pragma unroll
  for (int first = 0; first < Keys; first += 128) {
    const unsigned seen = lane_keys_below(end - first) & ~lane_keys_below(begin - first);
#pragma unroll
    for (int i = first / 2; i < (first + 128) / 2 && i < Keys / 2; ++i) {
      const int bit = i / 4 * 2 + i % 2 - first / 4;
      if (half_of(i) == half && (seen >> bit & 1U) == 0) r_scores[i] = -device::infinity;
    }
  }
}

/// The lane's weights of a tile in 16 bits, relative to `offsets`, and their sums for each row. Of
/// keys beyond the first `Keys` the weights are 0.
template <Config C, int Keys = C.block_kv>
void exponentials(const Scores<C>& r_scores, float scale_log2e, const float (&offsets)[2],
                  Weights<C>& r_weights, float (&sums)[2]) {
  sums[0] = sums[1] = 0.0F;
#pragma unroll
  for (int i = 0; i < Keys / 2; i += 2) {
    float weights[2];
#pragma unroll
    for (int e = 0; e < 2; ++e) {
      const float exponent = r_scores[i + e] * scale_log2e - offsets[half_of(i)];
      weights[e] = device::exp2_approx(exponent);
      sums[half_of(i)] += weights[e];
    }
    r_weights[i / 8][i / 2 % 4] =
        device::pack(device::Storage<C.element>{}, weights[0], weights[1]);
  }
#pragma unroll
  for (int i = Keys / 2; i < C.block_kv / 2; i += 2) r_weights[i / 8][i / 2 % 4] = 0;
}

/// A row's softmax while its keys pass by in tiles, for a lane's two rows.
///
/// Weights are relative to a reference that some earlier tile's maximum left. Most tiles are
/// weighed without a look at their own: sums that stay small say afterwards that no score lies far
/// above the reference, and only where they do not is the maximum taken and the tile weighed once
/// more. Exact, because the final division is by a sum of weights relative to the same reference.
template <Config C>
struct Softmax {
  device::LazySoftmax rows[2] = {};
  float factors[2];  // what the output so far is to be multiplied with, of the careful way

  /// Of a row's first tile: relative to 0, unless that makes weights too small, or too large.
  template <int Keys = C.block_kv>
  void weigh_first(const Scores<C>& r_scores, float scale_log2e, Weights<C>& r_weights) {
    // Beside other warpgroups, registers do not suffice for both ways.
    if constexpr (!weighs_relative_to_zero(C)) {
      weigh_carefully<Keys>(r_scores, scale_log2e, r_weights);
      return;
    }
    const float offsets[2] = {};
    float sums[2];
    exponentials<C, Keys>(r_scores, scale_log2e, offsets, r_weights, sums);
    bool suits = true;
    for (const float sum : sums) suits = suits && sum > smallest_sum && sum < largest_sum;
    // Of a row that a mask cuts short, some lanes have no key.
    if (device::warp_any(!suits) && !every_row_suits(sums)) {
      weigh_carefully<Keys>(r_scores, scale_log2e, r_weights);
      return;
    }
    for (int half = 0; half < 2; ++half)
      rows[half] = {.reference_max = 0.0F, .row_sum = sums[half]};
  }

  /// Of any other tile, without its maximum. False where it has to be weighed carefully instead.
  bool weigh_lightly(const Scores<C>& r_scores, float scale_log2e, Weights<C>& r_weights) {
    float sums[2];
    weigh_lightly(r_scores, scale_log2e, r_weights, sums);
    return add(sums);
  }

  /// The same, which holds as far as its sums can be added.
  void weigh_lightly(const Scores<C>& r_scores, float scale_log2e, Weights<C>& r_weights,
                     float (&sums)[2]) const {
    const float offsets[2] = {rows[0].reference_max, rows[1].reference_max};
    exponentials<C>(r_scores, scale_log2e, offsets, r_weights, sums);
  }

  /// False, with nothing added, where the tile has to be weighed carefully instead, or `goes_on`
  /// does not hold in all lanes.
  bool add(const float (&sums)[2], bool goes_on = true) {
    // NaN, as for a row without a reference yet, is not small either.
    if (device::warp_any(!(sums[0] < largest_sum && sums[1] < largest_sum && goes_on)))
      return false;
    rows[0].row_sum += sums[0];
    rows[1].row_sum += sums[1];
    return true;
  }

  /// With the tile's maximum, which is taken for the reference where the one before has fallen
  /// behind. Whether any of the warp's factors is not 1.
  template <int Keys = C.block_kv>
  bool weigh_carefully(const Scores<C>& r_scores, float scale_log2e, Weights<C>& r_weights) {
    float offsets[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float largest[2] = {-device::infinity, -device::infinity};
#pragma unroll
      for (int i = 0; i < Keys / 2; ++i)
        if (half_of(i) == half) largest[i % 2] = device::maximum(largest[i % 2], r_scores[i]);
      const float largest_of_row =
          device::row_maximum(device::maximum(largest[0], largest[1])) * scale_log2e;
      factors[half] = rows[half].advance(largest_of_row);
      offsets[half] = rows[half].offset();
    }
    float sums[2];
    exponentials<C, Keys>(r_scores, scale_log2e, offsets, r_weights, sums);
    rows[0].row_sum += sums[0];
    rows[1].row_sum += sums[1];
    return device::warp_any(factors[0] != 1.0F || factors[1] != 1.0F);
  }

  void rescale(Output<C>& r_out) const {
#pragma unroll
    for (int i = 0; i < C.head_dim / 2; ++i) r_out[i] *= factors[half_of(i)];
  }

 private:
  static constexpr float largest_sum = 32768.0F;  // fp16 holds 65504
  static constexpr float smallest_sum = 0x1p-6F;  // and 2^-14 with all its bits

  /// NaN is not small.
  static bool every_row_suits(const float (&sums)[2]) {
    return !device::warp_any(!(sums[0] < largest_sum && sums[1] < largest_sum)) &&
           device::every_row_has(sums[0] > smallest_sum) &&
           device::every_row_has(sums[1] > smallest_sum);
  }
};

}  // namespace flashcore::forward_tma_wgmma
