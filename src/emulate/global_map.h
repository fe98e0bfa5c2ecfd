// The global memory of a call: what an address belongs to.
#pragma once

#include <string>
#include <vector>

#include "emulate/launch.h"

namespace flashcore::emulate {

class GlobalMap {
 public:
  explicit GlobalMap(const std::vector<Buffer>& buffers);

  /// The buffer that holds all of these bytes, or null.
  [[nodiscard]] const Buffer* holding(const void* address, std::size_t bytes) const {
    for (const Buffer& buffer : buffers_) {
      const auto offset = distance(buffer, address);
      if (offset <= buffer.bytes && bytes <= buffer.bytes - offset) return &buffer;
    }
    return nullptr;
  }

  /// Where an address lies, in words, and how far from there.
  struct Place {
    std::size_t distance;
    std::string text;  // "12 bytes past the end of k, which has 4096"
  };
  [[nodiscard]] Place nearest(const void* address) const;

 private:
  /// Of the address from the buffer's beginning; huge where it lies before it.
  static std::size_t distance(const Buffer& buffer, const void* address) {
    return reinterpret_cast<std::uintptr_t>(address) -
           reinterpret_cast<std::uintptr_t>(buffer.base);
  }

  std::vector<Buffer> buffers_;
};

}  // namespace flashcore::emulate
