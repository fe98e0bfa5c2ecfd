// Where a thread is, and the barrier of its block.
#pragma once

#include "host/current.h"

namespace flashcore::device {

inline int thread_index() {
  return host::thread_index();
}
inline long long block_index() {
  return host::block_index();
}

inline int lane_index() {
  return thread_index() % 32;
}
inline int warp_index() {
  return thread_index() / 32;
}

inline void block_barrier(std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::block_barrier>(host::Site(line));
}

inline bool block_any(bool answer, std::source_location line = std::source_location::current()) {
  return host::call<&host::Machine::block_any>(answer, host::Site(line));
}

inline unsigned char* shared_memory() {
  return host::shared_memory();
}
inline unsigned char* tensor_memory() {
  return host::shared_memory();
}

}  // namespace flashcore::device
