// A few neighbouring elements that move between memory and registers as one access
// (device/ptx/vector.h).
#pragma once

namespace flashcore::device {

/// Aligned to its size, which is at most 16 bytes: what one load or store instruction carries.
template <typename T, int Count>
struct alignas(sizeof(T) * Count) Vector {
  static_assert(sizeof(T) * Count <= 16, "no instruction moves more than 16 bytes");
  T values[Count];
};

}  // namespace flashcore::device
