// Barriers in shared memory that some threads arrive at and others wait for.
#pragma once

#include "device/ptx/shared_address.h"

namespace flashcore::device {

/// The machine keeps the state; the kernel owns the place.
struct alignas(8) Mbarrier {
  unsigned long long state;
};

inline void init(Mbarrier& barrier, int arrivals,
                 std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::mbarrier_init>(&barrier, arrivals, host::Site(line));
}

inline void arrive(Mbarrier& barrier, std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::mbarrier_arrive>(&barrier, host::Site(line));
}

inline void arrive_if(bool arrives, Mbarrier& barrier,
                      std::source_location line = std::source_location::current()) {
  if (arrives) arrive(barrier, line);
}

inline void arrive_after_copies(Mbarrier& barrier,
                                std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::mbarrier_arrive_after_copies>(&barrier, host::Site(line));
}

inline void arrive_and_expect(Mbarrier& barrier, int bytes,
                              std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::mbarrier_arrive_and_expect>(&barrier, bytes, host::Site(line));
}

inline void fence_barrier_init(std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::fence_mbarrier_init>(host::Site(line));
}

inline bool completed(const Mbarrier& barrier, int parity,
                      std::source_location line = std::source_location::current()) {
  return host::call<&host::Machine::mbarrier_test>(&barrier, parity, host::Site(line));
}

inline void wait(const Mbarrier& barrier, int parity,
                 std::source_location line = std::source_location::current()) {
  host::call<&host::Machine::mbarrier_wait>(&barrier, parity, host::Scope::block, host::Site(line));
}

inline void wait_suspended(const Mbarrier& barrier, int parity,
                           std::source_location line = std::source_location::current()) {
  wait(barrier, parity, line);
}

}  // namespace flashcore::device
