// The mask as the caller states it, and the band it amounts to.
#pragma once

#include <flashcore/flashcore.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "device/attention/band.h"

namespace flashcore::core {

enum class MaskKind {
  none = FLASHCORE_MASK_NONE,
  causal_top_left = FLASHCORE_MASK_CAUSAL_TOP_LEFT,
  causal_bottom_right = FLASHCORE_MASK_CAUSAL_BOTTOM_RIGHT,
};

inline constexpr std::array all_mask_kinds{MaskKind::none, MaskKind::causal_top_left,
                                           MaskKind::causal_bottom_right};

constexpr std::string_view name(MaskKind kind) {
  switch (kind) {
    case MaskKind::none: return "none";
    case MaskKind::causal_top_left: return "causal_top_left";
    case MaskKind::causal_bottom_right: return "causal_bottom_right";
  }
  return "unknown";
}

constexpr std::optional<MaskKind> mask_kind_from_name(std::string_view text) {
  for (const MaskKind kind : all_mask_kinds)
    if (name(kind) == text) return kind;
  return std::nullopt;
}

/// A causal kind and a window hold together. Windows count inclusively from the diagonal, -1 for
/// unlimited; the diagonal lies at the bottom right unless the kind is causal_top_left.
struct Mask {
  MaskKind kind = MaskKind::none;
  std::int64_t window_left = -1;
  std::int64_t window_right = -1;

  bool operator==(const Mask&) const = default;
};

/// The mask as a band of key offsets for these lengths.
constexpr device::Band band(const Mask& mask, std::int64_t seq_q, std::int64_t seq_kv) {
  const std::int64_t diagonal = mask.kind == MaskKind::causal_top_left ? 0 : seq_kv - seq_q;
  device::Band result{-device::band_unlimited, device::band_unlimited};
  // A window wider than both lengths is no limit; clamping keeps the sums far from overflow.
  const std::int64_t widest = seq_q + seq_kv;
  if (mask.window_left >= 0) result.low = diagonal - std::min(mask.window_left, widest);
  if (mask.window_right >= 0) result.high = diagonal + std::min(mask.window_right, widest);
  if (mask.kind != MaskKind::none) result.high = std::min<long long>(result.high, diagonal);
  return result;
}

}  // namespace flashcore::core
