// Blocks of a cluster, which run at the same time and reach each other's shared memory (PTX ISA
// 9.7.13, "barrier.cluster"; 5.1.3, "shared::cluster"), for sm_90.
//
// Shared memory of a peer may be touched once the peer is known to have started, and until it ends:
// a barrier of the cluster before the first access, and one, or a wait for what was sent, before
// the owner leaves the kernel.
#pragma once

#include "device/ptx/mbarrier.h"
#include "device/tile/vector.h"

namespace flashcore::device {

/// This block's number in its cluster.
inline int cluster_rank() {
  unsigned rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return static_cast<int>(rank);
}

/// Blocks in the cluster; 1 in a launch without.
inline int cluster_size() {
  unsigned blocks;
  asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(blocks));
  return static_cast<int>(blocks);
}

/// Every thread of every block arrives once, then waits; whole warps take part. What it wrote
/// before, to any memory, is visible to those who have waited.
inline void cluster_arrive() {
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
}

/// The same, but shows nothing except that the block has started, and barriers that the thread
/// initialised before fence_barrier_init.
inline void cluster_arrive_relaxed() {
  asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
}

/// Returns when every thread of the cluster has arrived or left the kernel.
inline void cluster_wait() {
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
}

inline void cluster_barrier() {
  cluster_arrive();
  cluster_wait();
}

/// A place in the shared memory of some block of the cluster.
struct PeerAddress {
  unsigned bits;

  [[nodiscard]] PeerAddress at(int byte_offset) const {
    return {bits + static_cast<unsigned>(byte_offset)};
  }
};

/// The same place in the shared memory of block `rank` (PTX ISA 9.7.9, "mapa").
inline PeerAddress peer_address(SharedAddress own, int rank) {
  PeerAddress peer;
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(peer.bits) : "r"(own), "r"(rank));
  return peer;
}

/// 4, 8 or 16 bytes at a multiple of their size (PTX ISA 9.7.9, "st").
template <typename T, int Count>
inline void store_peer(PeerAddress to, const Vector<T, Count>& values) {
  constexpr int words = static_cast<int>(sizeof(T)) * Count / 4;
  static_assert(words == 1 || words == 2 || words == 4);
  const auto w = __builtin_bit_cast(Vector<unsigned, words>, values);
  if constexpr (words == 1)
    asm volatile("st.shared::cluster.b32 [%0], %1;" ::"r"(to.bits), "r"(w.values[0]) : "memory");
  else if constexpr (words == 2)
    asm volatile("st.shared::cluster.v2.b32 [%0], {%1, %2};" ::"r"(to.bits), "r"(w.values[0]),
                 "r"(w.values[1])
                 : "memory");
  else
    asm volatile("st.shared::cluster.v4.b32 [%0], {%1, %2, %3, %4};" ::"r"(to.bits),
                 "r"(w.values[0]), "r"(w.values[1]), "r"(w.values[2]), "r"(w.values[3])
                 : "memory");
}

inline void store_peer(PeerAddress to, float value) {
  store_peer(to, Vector<float, 1>{{value}});
}

/// 1, 2 or 4 floats at a multiple of their size (PTX ISA 9.7.9, "ld").
template <int Count>
inline Vector<float, Count> load_peer(PeerAddress from) {
  static_assert(Count == 1 || Count == 2 || Count == 4);
  Vector<float, Count> r;
  if constexpr (Count == 1)
    asm volatile("ld.shared::cluster.f32 %0, [%1];"
                 : "=f"(r.values[0])
                 : "r"(from.bits)
                 : "memory");
  else if constexpr (Count == 2)
    asm volatile("ld.shared::cluster.v2.f32 {%0, %1}, [%2];"
                 : "=f"(r.values[0]), "=f"(r.values[1])
                 : "r"(from.bits)
                 : "memory");
  else
    asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(r.values[0]), "=f"(r.values[1]), "=f"(r.values[2]), "=f"(r.values[3])
                 : "r"(from.bits)
                 : "memory");
  return r;
}

/// Starts a store of 4, 8 or 16 bytes at a multiple of their size. They count as transactions of
/// `barrier`, which lies in the same block as `to` (PTX ISA 9.7.9, "st.async").
template <typename T, int Count>
inline void store_peer_counted(PeerAddress to, const Vector<T, Count>& values,
                               PeerAddress barrier) {
  constexpr int words = static_cast<int>(sizeof(T)) * Count / 4;
  static_assert(words == 1 || words == 2 || words == 4);
  const auto w = __builtin_bit_cast(Vector<unsigned, words>, values);
  if constexpr (words == 1)
    asm volatile(
        "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.b32 [%0], %1, [%2];" ::"r"(
            to.bits),
        "r"(w.values[0]), "r"(barrier.bits)
        : "memory");
  else if constexpr (words == 2)
    asm volatile(
        "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v2.b32 [%0], {%1, %2}, "
        "[%3];" ::"r"(to.bits),
        "r"(w.values[0]), "r"(w.values[1]), "r"(barrier.bits)
        : "memory");
  else
    asm volatile(
        "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], {%1, %2, %3, %4}, "
        "[%5];" ::"r"(to.bits),
        "r"(w.values[0]), "r"(w.values[1]), "r"(w.values[2]), "r"(w.values[3]), "r"(barrier.bits)
        : "memory");
}

inline void store_peer_counted(PeerAddress to, float value, PeerAddress barrier) {
  store_peer_counted(to, Vector<float, 1>{{value}}, barrier);
}

/// Starts a copy of `bytes` of this block's shared memory. Both places and `bytes` are multiples of
/// 16; the bytes count as transactions of `barrier`, which lies in the same block as `to`. Whoever
/// wrote the source has called fence_async_proxy, and a barrier lies between that and this. The
/// source is read until the barrier's phase completes (PTX ISA 9.7.9, "cp.async.bulk").
inline void copy_to_peer(PeerAddress to, const unsigned char* s_from, int bytes,
                         PeerAddress barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes"
      " [%0], [%1], %2, [%3];" ::"r"(to.bits),
      "r"(shared_address(s_from)), "r"(bytes), "r"(barrier.bits)
      : "memory");
}

/// Arrives at another block's barrier: what the thread wrote before, to any memory, is visible to
/// those who wait_cluster for the phase.
inline void arrive_peer(PeerAddress barrier) {
  asm volatile("mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%0];" ::"r"(barrier.bits)
               : "memory");
}

/// wait_suspended for a phase that peers take part in, by arrivals, counted stores or copies of
/// their memory: sees what they wrote.
inline void wait_cluster(const Mbarrier& barrier, int parity) {
  unsigned complete = 0;
  while (complete == 0)
    asm volatile(
        "{ .reg .pred complete;"
        " mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 complete, [%1], %2;"
        " selp.u32 %0, 1, 0, complete; }"
        : "=r"(complete)
        : "r"(shared_address(&barrier)), "r"(parity)
        : "memory");
}

}  // namespace flashcore::device
