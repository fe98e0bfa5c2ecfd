// One lane that acts for its warp.
#pragma once

#include "host/current.h"

namespace flashcore::device {

inline bool elect_one(std::source_location line = std::source_location::current()) {
  return host::call<&host::Machine::elect_one>(host::Site(line));
}

}  // namespace flashcore::device
