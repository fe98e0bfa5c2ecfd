// A warpgroup's share of the register file: there is none.
#pragma once

#include "host/current.h"

namespace flashcore::device {

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
