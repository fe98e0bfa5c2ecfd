// Copies from global to shared memory that complete later.
#pragma once

#include "device/ptx/shared_address.h"

namespace flashcore::device {

inline void copy_async_16(unsigned char* s_to, const void* g_from, bool present,
                          std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::copy_async>(s_to, g_from, present, host::Site(line));
}

inline void copy_async_commit(std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::copy_async_commit>(host::Site(line));
}

template <int Pending>
inline void copy_async_wait(std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::copy_async_wait>(Pending, host::Site(line));
}

}  // namespace flashcore::device
