#include "emulate/global_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace flashcore::emulate {

GlobalMap::GlobalMap(const std::vector<Buffer>& buffers) : buffers_(buffers) {
  std::erase_if(buffers_, [](const Buffer& buffer) { return buffer.base == nullptr; });
}

GlobalMap::Place GlobalMap::nearest(const void* address) const {
  Place place{std::numeric_limits<std::size_t>::max(), "in no buffer of the call"};
  const auto consider = [&](std::size_t bytes, const std::string& text) {
    if (bytes < place.distance) place = {bytes, text};
  };
  for (const Buffer& buffer : buffers_) {
    const std::size_t after = distance(buffer, address);
    if (after < buffer.bytes)
      consider(0, fmt::format("at byte {} of {}, which has {}", after, buffer.name, buffer.bytes));
    else
      consider(after - buffer.bytes, fmt::format("{} bytes past the end of {}, which has {}",
                                                 after - buffer.bytes, buffer.name, buffer.bytes));
    consider(-after, fmt::format("{} bytes before {}", -after, buffer.name));
  }
  return place;
}

}  // namespace flashcore::emulate
