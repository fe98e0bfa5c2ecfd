// Exchange of registers within a warp.
#pragma once

#include <bit>

#include "host/current.h"

namespace flashcore::device {

inline float shuffle_xor(float value, int lane_mask,
                         std::source_location line = std::source_location::current()) {
  return host::call<&host::Machine::shuffle_xor>(value, lane_mask, host::Site(line));
}
inline unsigned shuffle_xor(unsigned value, int lane_mask,
                            std::source_location line = std::source_location::current()) {
  return std::bit_cast<unsigned>(shuffle_xor(std::bit_cast<float>(value), lane_mask, line));
}

}  // namespace flashcore::device
