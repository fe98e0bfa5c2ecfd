// What a search is held against.
#pragma once

#include <string>

namespace flashcore::tune {

/// In microseconds; 0 where it is not known.
struct Marks {
  std::string peer;  // the fastest: "torch_sdpa flash"
  double peer_us = 0;
  double roofline_us = 0;
};

}  // namespace flashcore::tune
