// The element types of Q, K, V and O.
#pragma once

#include <flashcore/flashcore.h>

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace flashcore::core {

enum class Dtype {
  float16 = FLASHCORE_FLOAT16,
  bfloat16 = FLASHCORE_BFLOAT16,
  float32 = FLASHCORE_FLOAT32,
};

inline constexpr std::array all_dtypes{Dtype::float16, Dtype::bfloat16, Dtype::float32};

/// Bytes per element.
constexpr std::size_t size_of(Dtype dtype) {
  return dtype == Dtype::float32 ? 4 : 2;
}

/// The name users type and read: "fp16", "bf16", "fp32".
constexpr std::string_view name(Dtype dtype) {
  switch (dtype) {
    case Dtype::float16: return "fp16";
    case Dtype::bfloat16: return "bf16";
    case Dtype::float32: return "fp32";
  }
  return "unknown";
}

constexpr std::optional<Dtype> dtype_from_name(std::string_view text) {
  for (const Dtype dtype : all_dtypes)
    if (name(dtype) == text) return dtype;
  return std::nullopt;
}

}  // namespace flashcore::core
