// The block's sixteen barriers of some of its threads (PTX ISA 9.7.13, "barrier"). block_barrier
// takes number 0.
#pragma once

namespace flashcore::device {

/// Arrives and waits until `threads`, a multiple of 32, have arrived; whole warps take part. Shared
/// memory that any of them wrote before is visible after.
inline void named_barrier(int id, int threads) {
  asm volatile("barrier.sync.aligned %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

/// Arrives for those who wait, and goes on.
inline void named_barrier_arrive(int id, int threads) {
  asm volatile("barrier.arrive.aligned %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

}  // namespace flashcore::device
