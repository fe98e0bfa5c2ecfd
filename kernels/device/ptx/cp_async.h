// Copies from global to shared memory that pass by the registers and complete later.
//
// PTX ISA 9.7.9, "cp.async". A thread's copies since its last commit form a group; groups complete
// in order. A wait is for the calling thread's own copies: a barrier shows them to the others.
#pragma once

#include "device/ptx/shared_address.h"

namespace flashcore::device {

/// Starts a copy of 16 bytes past L1; both pointers are aligned to 16. Where not `present`, nothing
/// is read and the destination becomes 0.
inline void copy_async_16(unsigned char* s_to, const void* g_from, bool present) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;"
               :
               : "r"(shared_address(s_to)), "l"(__cvta_generic_to_global(g_from)),
                 "r"(present ? 16 : 0)
               : "memory");
}

inline void copy_async_commit() {
  asm volatile("cp.async.commit_group;" : : : "memory");
}

/// Returns when at most `Pending` of this thread's groups are under way.
template <int Pending>
inline void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" : : "n"(Pending) : "memory");
}

}  // namespace flashcore::device
