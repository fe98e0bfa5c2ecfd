// Exchange of registers within a warp.
#pragma once

namespace flashcore::device {

/// The value of the lane whose index differs from this one's by `lane_mask`. The whole warp takes
/// part.
inline float shuffle_xor(float value, int lane_mask) {
  return __shfl_xor_sync(0xFFFFFFFFU, value, lane_mask);
}
inline unsigned shuffle_xor(unsigned value, int lane_mask) {
  return __shfl_xor_sync(0xFFFFFFFFU, value, lane_mask);
}

}  // namespace flashcore::device
