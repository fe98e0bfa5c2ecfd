// What the lanes of a warp decide together.
#pragma once

#include "host/current.h"

namespace flashcore::device {

inline unsigned warp_ballot(bool answer,
                            std::source_location line = std::source_location::current()) {
  return host::call<&host::Machine::warp_ballot>(answer, host::Site(line));
}

inline bool warp_any(bool answer, std::source_location line = std::source_location::current()) {
  return host::call<&host::Machine::warp_any>(answer, host::Site(line));
}

inline void warp_barrier(std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::warp_barrier>(host::Site(line));
}

}  // namespace flashcore::device
