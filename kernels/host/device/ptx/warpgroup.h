// Four warps that execute matrix products together. There is no register file to share.
#pragma once

#include "device/ptx/thread.h"

namespace flashcore::device {

inline constexpr int warpgroup_threads = 128;

inline int warpgroup_index() {
  return thread_index() / warpgroup_threads;
}

template <int Registers>
inline void set_registers_up(std::source_location line = std::source_location::current()) {
  static_assert(Registers % 8 == 0 && Registers >= 24 && Registers <= 256);
  host::call<&host::Machine::meet>(host::Instruction::set_registers, host::Site(line));
}

template <int Registers>
inline void set_registers_down(std::source_location line = std::source_location::current()) {
  static_assert(Registers % 8 == 0 && Registers >= 24 && Registers <= 256);
  host::call<&host::Machine::meet>(host::Instruction::set_registers, host::Site(line));
}

}  // namespace flashcore::device
