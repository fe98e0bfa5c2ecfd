// Rows of fp32, fp16 or bf16 to fp32 and back. Rounding is to nearest, ties to even, in every
// instruction set; the results are those of core/half.h, bit for bit.

// Highway's guard for headers that are compiled once per instruction set.
#if defined(FLASHCORE_CPU_CONVERT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FLASHCORE_CPU_CONVERT_INL_H
#undef FLASHCORE_CPU_CONVERT_INL_H
#else
#define FLASHCORE_CPU_CONVERT_INL_H
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <cstring>

#include "core/half.h"

HWY_BEFORE_NAMESPACE();
namespace flashcore::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Float = hn::ScalableTag<float>;
using Half = hn::Rebind<std::uint16_t, Float>;  // as many 16-bit lanes as Float has
using Vec = hn::Vec<Float>;

inline constexpr Float f32;
inline constexpr std::int64_t lanes = static_cast<std::int64_t>(hn::MaxLanes(f32));

// Elsewhere Highway emulates fp16 and does not round as IEEE 754 says.
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
inline constexpr bool hardware_fp16 = true;
#else
inline constexpr bool hardware_fp16 = false;
#endif

HWY_INLINE Vec widen_bf16(hn::Vec<Half> bits) {
  const hn::RebindToUnsigned<Float> u32;
  return hn::BitCast(f32, hn::ShiftLeft<16>(hn::PromoteTo(u32, bits)));
}

HWY_INLINE hn::Vec<Half> narrow_bf16(Vec value) {
  const hn::RebindToUnsigned<Float> u32;
  const auto bits = hn::BitCast(u32, value);
  const auto upper = hn::ShiftRight<16>(bits);
  const auto odd = hn::And(upper, hn::Set(u32, 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(odd, hn::Set(u32, 0x7FFF))));
  const auto is_nan = hn::RebindMask(u32, hn::IsNaN(value));
  const auto quiet = hn::Or(upper, hn::Set(u32, 0x40));  // never rounded to infinity
  return hn::TruncateTo(Half(), hn::IfThenElse(is_nan, quiet, rounded));
}

template <typename T>
HWY_INLINE const std::uint16_t* bits_of(const T* row) {
  return reinterpret_cast<const std::uint16_t*>(row);
}

/// One vector of a row.
HWY_INLINE Vec load(const float* row) {
  return hn::LoadU(f32, row);
}
HWY_INLINE Vec load(const core::BFloat16* row) {
  return widen_bf16(hn::LoadU(Half(), bits_of(row)));
}
HWY_INLINE Vec load(const core::Float16* row) {
  if constexpr (hardware_fp16) {
    const hn::Rebind<hwy::float16_t, Float> f16;
    return hn::PromoteTo(f32, hn::BitCast(f16, hn::LoadU(Half(), bits_of(row))));
  } else {
    HWY_ALIGN float wide[lanes];
    for (std::int64_t i = 0; i < lanes; ++i) wide[i] = core::to_float(row[i]);
    return hn::Load(f32, wide);
  }
}

HWY_INLINE void store(Vec value, float* row) {
  hn::StoreU(value, f32, row);
}
HWY_INLINE void store(Vec value, core::BFloat16* row) {
  hn::StoreU(narrow_bf16(value), Half(), reinterpret_cast<std::uint16_t*>(row));
}
HWY_INLINE void store(Vec value, core::Float16* row) {
  if constexpr (hardware_fp16) {
    const hn::Rebind<hwy::float16_t, Float> f16;
    hn::StoreU(hn::BitCast(Half(), hn::DemoteTo(f16, value)), Half(),
               reinterpret_cast<std::uint16_t*>(row));
  } else {
    HWY_ALIGN float wide[lanes];
    hn::Store(value, f32, wide);
    for (std::int64_t i = 0; i < lanes; ++i) row[i] = core::from_float<core::Float16>(wide[i]);
  }
}

/// count elements to fp32; the lanes after them, up to a whole vector, become 0.
template <typename T>
void widen_row(const T* HWY_RESTRICT row, std::int64_t count, float* HWY_RESTRICT out) {
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) store(load(row + i), out + i);
  if (i == count) return;
  T last[lanes] = {};
  std::memcpy(last, row + i, static_cast<std::size_t>(count - i) * sizeof(T));
  store(load(last), out + i);
}

/// out[i] = row[i] * factor, rounded to T. Writes count elements and no more.
template <typename T>
void narrow_row(const float* HWY_RESTRICT row, float factor, std::int64_t count,
                T* HWY_RESTRICT out) {
  const Vec factors = hn::Set(f32, factor);
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) store(hn::Mul(hn::LoadU(f32, row + i), factors), out + i);
  if (i == count) return;
  T last[lanes];
  store(hn::Mul(hn::LoadU(f32, row + i), factors), last);
  std::memcpy(out + i, last, static_cast<std::size_t>(count - i) * sizeof(T));
}

}  // namespace HWY_NAMESPACE
}  // namespace flashcore::cpu
HWY_AFTER_NAMESPACE();

#endif
