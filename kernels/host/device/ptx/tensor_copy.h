// Copies of boxes of a tensor between global and shared memory by the copy engine.
#pragma once

#include "device/ptx/mbarrier.h"
#include "device/tensor_map.h"

namespace flashcore::device {

inline void prefetch(const TensorMap& map,
                     std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::prefetch_tensor_map>(&map, host::Site(line));
}

inline void copy_tensor(const TensorMap& map, unsigned char* s_to, Mbarrier& barrier, int c0,
                        int c1, int c2, int c3,
                        std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::load_tensor>(&map, s_to, &barrier, host::Coordinates{{c0, c1, c2, c3}},
                                          host::Site(line));
}

inline void copy_tensor_multicast(const TensorMap& map, unsigned char* s_to, Mbarrier& barrier,
                                  unsigned short block_mask, int c0, int c1, int c2, int c3,
                                  std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::load_tensor_multicast>(
      &map, s_to, &barrier, block_mask, host::Coordinates{{c0, c1, c2, c3}}, host::Site(line));
}

inline void store_tensor(const TensorMap& map, const unsigned char* s_from, int c0, int c1, int c2,
                         int c3, std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::store_tensor>(&map, s_from, host::Coordinates{{c0, c1, c2, c3}},
                                           host::Site(line));
}

inline void store_commit(std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::store_tensor_commit>(host::Site(line));
}

template <int Pending>
inline void store_wait_read(std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::store_tensor_wait>(Pending, host::Site(line));
}

inline void fence_async_proxy(std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::fence_async_proxy>(host::Site(line));
}

}  // namespace flashcore::device
