// The same as shadow.h for the global memory that a block writes, line by line as it is touched.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>

#include "emulate/shadow.h"

namespace flashcore::emulate {

/// Only the accesses of one cluster count: what other blocks and other kernels wrote is as good as
/// given. A conflict's offset is the byte's address.
class GlobalShadow {
 public:
  bool read(const void* from, std::size_t bytes, const Knowledge& thread, SiteId site,
            Shadow::Conflict& conflict);
  bool write(const void* to, std::size_t bytes, const Knowledge& thread, SiteId site,
             Shadow::Conflict& conflict);
  void clear();

 private:
  static constexpr std::uintptr_t line_bytes = 64;

  template <typename Access>
  bool line_by_line(const void* address, std::size_t bytes, Shadow::Conflict& conflict,
                    Access&& access);
  /// Where the shadow keeps a line.
  std::size_t place_of(std::uintptr_t line);

  std::unordered_map<std::uintptr_t, std::size_t> places_;
  Shadow shadow_{0, Shadow::Unwritten::given};
};

}  // namespace flashcore::emulate
