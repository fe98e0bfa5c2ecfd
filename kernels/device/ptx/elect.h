// One lane that acts for its warp.
#pragma once

namespace flashcore::device {

/// True in one lane, the same each time. The whole warp takes part (PTX ISA 9.7.13, "elect.sync").
inline bool elect_one() {
  unsigned elected;
  asm volatile(
      "{ .reg .pred elected;"
      " elect.sync _|elected, 0xFFFFFFFF;"
      " selp.u32 %0, 1, 0, elected; }"
      : "=r"(elected));
  return elected != 0;
}

}  // namespace flashcore::device
