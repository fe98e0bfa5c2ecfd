// Barriers in shared memory that some threads arrive at and others wait for (PTX ISA, "Parallel
// Synchronization and Communication Instructions: mbarrier"), as sm_80 has them, and what sm_90
// adds: transactions, the bytes that copies have brought.
#pragma once

#include "device/ptx/shared_address.h"

namespace flashcore::device {

/// Completes a phase each time its count of arrivals is reached, then begins the next. Phases have
/// parity 0, 1, 0, …; a phase before the first counts as complete, with parity 1.
struct alignas(8) Mbarrier {
  unsigned long long state;
};

/// By one thread, before a block barrier that shows the result to all who use it.
inline void init(Mbarrier& barrier, int arrivals) {
  asm volatile("mbarrier.init.shared.b64 [%0], %1;" ::"r"(shared_address(&barrier)), "r"(arrivals)
               : "memory");
}

/// What the thread wrote before is visible to whoever sees the phase complete.
inline void arrive(Mbarrier& barrier) {
  asm volatile(
      "{ .reg .b64 phase; mbarrier.arrive.shared.b64 phase, [%0]; }" ::"r"(shared_address(&barrier))
      : "memory");
}

/// The same in the threads that say so, without a branch: the compiler moves nothing across one,
/// and what stands behind the arrival is often better worked out ahead of it.
inline void arrive_if(bool arrives, Mbarrier& barrier) {
  asm volatile(
      "{ .reg .pred arrives; .reg .b64 phase; setp.ne.b32 arrives, %1, 0;"
      " @arrives mbarrier.arrive.shared.b64 phase, [%0]; }" ::"r"(shared_address(&barrier)),
      "r"(static_cast<int>(arrives))
      : "memory");
}

/// Arrives when the thread's asynchronous copies so far have landed; the thread goes on at once.
inline void arrive_after_copies(Mbarrier& barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];" ::"r"(shared_address(&barrier))
               : "memory");
}

/// Arrives, and makes the phase wait for this many more bytes from copies. sm_90.
inline void arrive_and_expect(Mbarrier& barrier, int bytes) {
  asm volatile(
      "{ .reg .b64 phase; mbarrier.arrive.expect_tx.shared::cta.b64 phase, [%0], %1; }" ::"r"(
          shared_address(&barrier)),
      "r"(bytes)
      : "memory");
}

/// By the thread that initialised barriers, after that: copies and other blocks of the cluster see
/// them initialised. A barrier of the block shows them to its threads. sm_90.
inline void fence_barrier_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

/// Whether the phase of this parity has completed; where it has, as after a wait for it. Whoever
/// asks in a loop does not let the emulator's other threads go on: wait() does.
inline bool completed(const Mbarrier& barrier, int parity) {
  unsigned complete;
  asm volatile(
      "{ .reg .pred complete;"
      " mbarrier.test_wait.parity.shared.b64 complete, [%1], %2;"
      " selp.u32 %0, 1, 0, complete; }"
      : "=r"(complete)
      : "r"(shared_address(&barrier)), "r"(parity)
      : "memory");
  return complete != 0;
}

/// Returns when the phase of this parity has completed.
inline void wait(const Mbarrier& barrier, int parity) {
  while (!completed(barrier, parity)) {
  }
}

/// The same, suspending the thread while it waits. sm_90.
inline void wait_suspended(const Mbarrier& barrier, int parity) {
  unsigned complete = 0;
  while (complete == 0)
    asm volatile(
        "{ .reg .pred complete;"
        " mbarrier.try_wait.parity.shared::cta.b64 complete, [%1], %2;"
        " selp.u32 %0, 1, 0, complete; }"
        : "=r"(complete)
        : "r"(shared_address(&barrier)), "r"(parity)
        : "memory");
}

}  // namespace flashcore::device
