// A block's shared memory, as layout.h maps it.
#pragma once

#include "device/ptx/mbarrier.h"
#include "device/ptx/thread.h"
#include "device/tile/ring.h"
#include "forward_tma_wgmma/layout.h"
#include "forward_tma_wgmma/task.h"

namespace flashcore::forward_tma_wgmma {

/// One barrier of each place says that its tile has landed, another that all have read it.
template <Config C>
struct Barriers {
  device::Mbarrier q_full[C.q_stages][C.consumers];   // 1 arrival and the bytes
  device::Mbarrier q_empty[C.q_stages][C.consumers];  // the consumer's warps
  device::Mbarrier k_full[C.stages];                  // 1 arrival and the bytes
  device::Mbarrier k_empty[C.stages];                 // all consumers' warps
  device::Mbarrier v_full[C.stages];
  device::Mbarrier v_empty[C.stages];
  device::Mbarrier parts[C.consumers][4];  // of each warp, 1 arrival and the bytes that others send
};

inline constexpr int line_bytes = 128;  // of 64 columns
inline constexpr int q_column_bytes = warpgroup_rows * line_bytes;

template <Config C>
struct Shared {
  static constexpr Layout map = layout(C);
  static constexpr int kv_column_bytes = C.block_kv * line_bytes;  // from 64 columns to the next

  static_assert(sizeof(Barriers<C>) == barrier_count(C) * 8);

  static unsigned char* at(int offset) { return device::tensor_memory() + offset; }
  static unsigned char* q(int stage, int consumer) {
    return at(map.s_q + (stage * C.consumers + consumer) * map.rows_bytes);
  }
  static unsigned char* k(int stage) { return at(map.s_k + stage * map.tile_bytes); }
  static unsigned char* v(int stage) { return at(map.s_v + stage * map.tile_bytes); }
  static unsigned char* parts(int consumer) { return at(map.s_parts + consumer * parts_bytes(C)); }
  /// Comes with the rows of Q before those at the ring's place. There are twice as many places as
  /// Q has, so that it can be read when those rows' place has been given up.
  static Assignment& assignment(const device::Ring<C.q_stages>& ring, int consumer) {
    static_assert(sizeof(Assignment) <= assignment_bytes);
    const int place = (ring.parity * C.q_stages + ring.stage) * C.consumers + consumer;
    return *reinterpret_cast<Assignment*>(at(map.s_assignments + place * assignment_bytes));
  }
  static Barriers<C>& barriers() { return *reinterpret_cast<Barriers<C>*>(at(map.s_barriers)); }
};

}  // namespace flashcore::forward_tma_wgmma
