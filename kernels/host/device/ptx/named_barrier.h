// The block's numbered barriers of some of its threads.
#pragma once

#include "host/current.h"

namespace flashcore::device {

inline void named_barrier(int id, int threads,
                          std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::named_barrier>(id, threads, true, host::Site(line));
}

inline void named_barrier_arrive(int id, int threads,
                                 std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::named_barrier>(id, threads, false, host::Site(line));
}

}  // namespace flashcore::device
