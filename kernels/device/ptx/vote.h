// What the lanes of a warp decide together.
#pragma once

namespace flashcore::device {

/// Bit l is lane l's answer. The whole warp takes part.
inline unsigned warp_ballot(bool answer) {
  return __ballot_sync(0xFFFFFFFFU, answer);
}

inline bool warp_any(bool answer) {
  return __any_sync(0xFFFFFFFFU, answer) != 0;
}

/// Every lane arrives and waits; memory written before by one is visible to the others after.
inline void warp_barrier() {
  __syncwarp();
}

}  // namespace flashcore::device
