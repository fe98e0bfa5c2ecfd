// The online softmax of one panel and one block of keys. Lanes are query rows.

#if defined(FLASHCORE_CPU_SOFTMAX_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FLASHCORE_CPU_SOFTMAX_INL_H
#undef FLASHCORE_CPU_SOFTMAX_INL_H
#else
#define FLASHCORE_CPU_SOFTMAX_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <limits>

#include "cpu/simd/products-inl.h"

HWY_BEFORE_NAMESPACE();
namespace flashcore::cpu {
namespace HWY_NAMESPACE {

/// 2^x for x <= 0, within 1 ulp; exactly 1 at 0; 0 below 2^-125, -inf included; NaN for NaN.
HWY_INLINE Vec exp2_nonpositive(Vec x) {
  // Adding 1.5 * 2^23 rounds x to an integer n, whose low bits then lie at the bottom of the sum;
  // the 127 makes them n's biased exponent.
  const Vec round = hn::Set(f32, 0x1.8p23F + 127.0F);
  const Vec shifted = hn::Add(x, round);
  const Vec r = hn::Sub(x, hn::Sub(shifted, round));  // exact, in [-1/2, 1/2]
  // 1 + r * p(r), p minimax in the relative error of the whole (2e-9 before rounding).
  Vec p = hn::Set(f32, 0x1.41fbbcp-13F);
  p = hn::MulAdd(p, r, hn::Set(f32, 0x1.5f3e54p-10F));
  p = hn::MulAdd(p, r, hn::Set(f32, 0x1.3b2d4cp-7F));
  p = hn::MulAdd(p, r, hn::Set(f32, 0x1.c6aee8p-5F));
  p = hn::MulAdd(p, r, hn::Set(f32, 0x1.ebfbdcp-3F));
  p = hn::MulAdd(p, r, hn::Set(f32, 0x1.62e430p-1F));
  p = hn::MulAdd(p, r, hn::Set(f32, 1.0F));
  const hn::RebindToUnsigned<Float> u32;
  const Vec power = hn::BitCast(f32, hn::ShiftLeft<23>(hn::BitCast(u32, shifted)));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(f32, -125.0F)), hn::Mul(p, power));
}

/// -inf in every lane where the row does not see the key. `rows` is the panel's.
inline void mask_scores(float* scores, BlockRange keys, const BlockRange* rows, int vectors) {
  HWY_ALIGN float begin[panel_rows];
  HWY_ALIGN float end[panel_rows];
  for (std::int64_t row = 0; row < vectors * lanes; ++row) {
    begin[row] = static_cast<float>(rows[row].begin);
    end[row] = static_cast<float>(rows[row].end);
  }
  const Vec minus_infinity = hn::Set(f32, -std::numeric_limits<float>::infinity());
  for (int v = 0; v < vectors; ++v) {
    const Vec first = hn::Load(f32, begin + v * lanes);
    const Vec last = hn::Load(f32, end + v * lanes);
    for (std::int64_t key = keys.begin; key < keys.end; ++key) {
      float* const at = scores + key * panel_rows + v * lanes;
      const Vec index = hn::Set(f32, static_cast<float>(key));
      const auto visible = hn::And(hn::Ge(index, first), hn::Lt(index, last));
      hn::StoreU(hn::IfThenElse(visible, hn::LoadU(f32, at), minus_infinity), f32, at);
    }
  }
}

/// The largest score of each lane. A NaN may be lost here: it comes back as its own probability.
HWY_INLINE Vec largest(const float* scores, std::int64_t count) {
  constexpr int chains = 4;
  Vec most[chains];
  for (Vec& m : most) m = hn::Set(f32, -std::numeric_limits<float>::infinity());
  std::int64_t key = 0;
  for (; key + chains <= count; key += chains)
    for (int i = 0; i < chains; ++i)
      most[i] = hn::Max(most[i], hn::LoadU(f32, scores + (key + i) * panel_rows));
  for (; key < count; ++key) most[0] = hn::Max(most[0], hn::LoadU(f32, scores + key * panel_rows));
  return hn::Max(hn::Max(most[0], most[1]), hn::Max(most[2], most[3]));
}

/// The running state of one panel's rows; see Scratch.
struct PanelState {
  float* row_max;
  float* row_sum;
  float* rescale;
};

/// Turns the scores of these keys into probabilities relative to the running maximum, in place, and
/// updates it, the running sum, and what older sums are to be multiplied with. `scale` is the
/// softmax scale times log2(e), positive.
inline void update_softmax(float* scores, BlockRange keys, int vectors, float scale,
                           const PanelState& state) {
  const Vec minus_infinity = hn::Set(f32, -std::numeric_limits<float>::infinity());
  const Vec scales = hn::Set(f32, scale);
  for (int v = 0; v < vectors; ++v) {
    float* const column = scores + keys.begin * panel_rows + v * lanes;
    const std::int64_t count = keys.end - keys.begin;
    const Vec old_max = hn::LoadU(f32, state.row_max + v * lanes);
    const Vec new_max = hn::Max(old_max, hn::Mul(largest(column, count), scales));
    // Rows that have seen nothing above -inf stay at it; 0 stands in, so that exp2 gives 0.
    const Vec base = hn::IfThenZeroElse(hn::Eq(new_max, minus_infinity), new_max);
    const Vec rescale = exp2_nonpositive(hn::Sub(old_max, base));
    Vec sum = hn::Zero(f32);
    for (std::int64_t key = 0; key < count; ++key) {
      float* const at = column + key * panel_rows;
      const Vec p = exp2_nonpositive(hn::MulSub(hn::LoadU(f32, at), scales, base));
      sum = hn::Add(sum, p);
      hn::StoreU(p, f32, at);
    }
    const Vec old_sum = hn::LoadU(f32, state.row_sum + v * lanes);
    hn::StoreU(hn::MulAdd(old_sum, rescale, sum), f32, state.row_sum + v * lanes);
    hn::StoreU(new_max, f32, state.row_max + v * lanes);
    hn::StoreU(rescale, f32, state.rescale + v * lanes);
  }
}

/// row *= factor, a whole number of vectors long.
inline void scale_row(float* row, std::int64_t count, float factor) {
  const Vec factors = hn::Set(f32, factor);
  for (std::int64_t i = 0; i < count; i += lanes)
    hn::StoreU(hn::Mul(hn::LoadU(f32, row + i), factors), f32, row + i);
}

}  // namespace HWY_NAMESPACE
}  // namespace flashcore::cpu
HWY_AFTER_NAMESPACE();

#endif
