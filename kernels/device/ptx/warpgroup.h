// A warpgroup's share of the register file.
#pragma once

namespace flashcore::device {

/// From now on each thread of the warpgroup has this many registers: a multiple of 8 from 24 to
/// 256. Every warp of the warpgroup executes it (PTX ISA 9.7.19, "setmaxnreg"). `up` waits until
/// others have given up as many. The compiler ignores it in a kernel without the second number of
/// __launch_bounds__, from which it knows how many there are at first.
template <int Registers>
inline void set_registers_up() {
  static_assert(Registers % 8 == 0 && Registers >= 24 && Registers <= 256);
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
}

template <int Registers>
inline void set_registers_down() {
  static_assert(Registers % 8 == 0 && Registers >= 24 && Registers <= 256);
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
}

}  // namespace flashcore::device
