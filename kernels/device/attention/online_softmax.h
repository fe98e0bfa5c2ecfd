// One row's softmax, kept while its keys pass by in tiles (Milakov and Gimelshein 2018,
// "Online normalizer calculation for softmax").
//
// Scores are in base 2: the caller multiplies Q.K by scale * log2(e), so that an exponential is one
// ex2 instruction.
#pragma once

#include "device/ptx/math.h"

namespace flashcore::device {

inline constexpr float infinity = __builtin_bit_cast(float, 0x7F800000U);
inline constexpr float ln_2 = 0.693147180559945309F;

struct OnlineSoftmax {
  float row_max = -infinity;
  float row_sum = 0.0F;

  /// Takes in a tile's largest score. Returns the factor for all that was accumulated before it.
  float advance(float tile_max) {
    const float previous_max = row_max;
    row_max = row_max > tile_max ? row_max : tile_max;
    const float factor = exp2_approx(previous_max - reference());  // 0 on the first tile
    row_sum *= factor;
    return factor;
  }

  /// A score's weight relative to the running maximum; 0 for a score of -inf.
  float weight(float score) const { return exp2_approx(score - reference()); }

  /// The natural-logarithm log-sum-exp of the scaled scores.
  float log_sum_exp() const { return (reference() + log2_approx(row_sum)) * ln_2; }

 private:
  /// The maximum, or 0 while every score was -inf: -inf - (-inf) would be NaN.
  float reference() const { return row_max == -infinity ? 0.0F : row_max; }
};

/// The same, rescaling seldom: weights are relative to a reference that follows the maximum only
/// once it has fallen behind by more than `slack`. Exact, because the final division is by a sum of
/// weights relative to the same reference; weights reach 2^slack, which fp16 holds
/// (FlashAttention-4's rule).
struct LazySoftmax {
  static constexpr float slack = 8.0F;  // in base 2

  float reference_max = -infinity;
  float row_sum = 0.0F;

  /// Takes in a tile's largest score. Returns the factor for all that was accumulated before it: 1
  /// where the reference stays.
  float advance(float tile_max) {
    if (!(tile_max > reference_max + slack)) return 1.0F;
    const float factor = exp2_approx(reference_max - tile_max);  // 0 on the first tile
    reference_max = tile_max;
    row_sum *= factor;
    return factor;
  }

  /// What is taken from a score before its exponential: the reference, or 0 while every score was
  /// -inf, because -inf - (-inf) would be NaN.
  float offset() const { return reference_max == -infinity ? 0.0F : reference_max; }

  float log_sum_exp() const { return (offset() + log2_approx(row_sum)) * ln_2; }
};

}  // namespace flashcore::device
