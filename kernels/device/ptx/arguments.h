// Arguments of a kernel, before they are needed.
#pragma once

namespace flashcore::device {

/// Has an argument read, for the cache line that comes with it: a launch finds the cache of its
/// arguments empty, and whoever reads a line first waits for it.
inline void touch(unsigned argument) {
  asm volatile(
      "{ .reg .pred never;"
      " setp.eq.u32 never, %0, 0x9E3779B9;"
      " @never nanosleep.u32 0; }" ::"r"(argument));
}

}  // namespace flashcore::device
