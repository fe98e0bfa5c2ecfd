#include "emulate/global_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace flashcore::emulate {

GlobalMap::GlobalMap(const std::vector<Buffer>& buffers) : buffers_(buffers) {
  std::erase_if(buffers_, [](const Buffer& buffer) { return buffer.base == nullptr; });
}

std::string GlobalMap::describe(const void* address) const {
  std::uintptr_t nearest = std::numeric_limits<std::uintptr_t>::max();
  std::string text = "in no buffer of the call";
  for (const Buffer& buffer : buffers_) {
    const std::size_t after = distance(buffer, address);
    const std::size_t before = -after;
    const auto describe_nearer = [&](std::size_t bytes, const std::string& where) {
      if (bytes >= nearest) return;
      nearest = bytes;
      text = where;
    };
    if (after < buffer.bytes)
      describe_nearer(
          0, fmt::format("at byte {} of {}, which has {}", after, buffer.name, buffer.bytes));
    else
      describe_nearer(after - buffer.bytes,
                      fmt::format("{} bytes past the end of {}, which has {}", after - buffer.bytes,
                                  buffer.name, buffer.bytes));
    describe_nearer(before, fmt::format("{} bytes before {}", before, buffer.name));
  }
  return text;
}

}  // namespace flashcore::emulate
