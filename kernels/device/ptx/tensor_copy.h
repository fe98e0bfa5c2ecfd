// Copies of boxes of a tensor between global and shared memory by the copy engine (TMA). One thread
// starts one, for the whole block.
//
// PTX ISA 9.7.9, "cp.async.bulk.tensor", and 5.5, "Tensors", for sm_90. Coordinates count elements,
// the fastest dimension first. What lies outside the tensor arrives as 0 and is not written.
#pragma once

#include "device/ptx/mbarrier.h"
#include "device/tensor_map.h"

namespace flashcore::device {

/// Fetches the description ahead of its first use.
inline void prefetch(const TensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

/// Starts a load of the box at (c0, c1, c2, c3). Its bytes, those outside of the tensor too, count
/// as transactions of the barrier's phase. `s_to` is a multiple of 128 bytes, of 1024 where the map
/// swizzles by 128.
inline void copy_tensor(const TensorMap& map, unsigned char* s_to, Mbarrier& barrier, int c0,
                        int c1, int c2, int c3) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
      " [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(shared_address(s_to)),
      "l"(&map), "r"(shared_address(&barrier)), "r"(c0), "r"(c1), "r"(c2), "r"(c3)
      : "memory");
}

/// The same into every block of the cluster whose rank's bit is set in `block_mask`: the box, and
/// its transactions, arrive at the same offsets of each. Those blocks have initialised the barrier,
/// and this one knows it (cluster.h).
inline void copy_tensor_multicast(const TensorMap& map, unsigned char* s_to, Mbarrier& barrier,
                                  unsigned short block_mask, int c0, int c1, int c2, int c3) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
      ".multicast::cluster [%0], [%1, {%4, %5, %6, %7}], [%2], %3;" ::"r"(shared_address(s_to)),
      "l"(&map), "r"(shared_address(&barrier)), "h"(block_mask), "r"(c0), "r"(c1), "r"(c2), "r"(c3)
      : "memory");
}

/// Starts a store of the box at (c0, c1, c2, c3). Whoever wrote the shared memory has called
/// fence_async_proxy, and a barrier lies between that and this.
inline void store_tensor(const TensorMap& map, const unsigned char* s_from, int c0, int c1, int c2,
                         int c3) {
  asm volatile(
      "cp.async.bulk.tensor.4d.global.shared::cta.tile.bulk_group"
      " [%0, {%2, %3, %4, %5}], [%1];" ::"l"(&map),
      "r"(shared_address(s_from)), "r"(c0), "r"(c1), "r"(c2), "r"(c3)
      : "memory");
}

/// The thread's stores since its last commit become a group.
inline void store_commit() {
  asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}

/// Returns when at most `Pending` of the thread's groups still read shared memory.
template <int Pending>
inline void store_wait_read() {
  asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(Pending) : "memory");
}

/// What the thread wrote to shared memory before is visible to copies and matrix products that
/// start after it, or after a barrier that follows it.
inline void fence_async_proxy() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

}  // namespace flashcore::device
