// A block's shared memory, as layout.h maps it.
#pragma once

#include "device/ptx/mbarrier.h"
#include "device/ptx/thread.h"
#include "forward_tma_wgmma/layout.h"

namespace flashcore::forward_tma_wgmma {

/// A barrier of each stage says that its tile has landed, another that all consumers have read it.
template <int Stages>
struct Barriers {
  device::Mbarrier q_full;           // 1 arrival and the bytes: Q has landed
  device::Mbarrier k_full[Stages];   // 1 arrival and the bytes
  device::Mbarrier k_empty[Stages];  // every consumer warp
  device::Mbarrier v_full[Stages];
  device::Mbarrier v_empty[Stages];
};

inline constexpr int line_bytes = 128;  // of 64 columns

template <Config C>
struct Shared {
  static constexpr Layout map = layout(C);
  static constexpr int q_column_bytes = block_q(C) * line_bytes;   // from a tile of 64 columns
  static constexpr int kv_column_bytes = C.block_kv * line_bytes;  // to the next one

  static_assert(sizeof(Barriers<C.stages>) == barrier_count(C) * 8);

  static unsigned char* at(int offset) { return device::tensor_memory() + offset; }
  static unsigned char* q() { return at(map.s_q); }
  static unsigned char* k(int stage) { return at(map.s_k + stage * map.tile_bytes); }
  static unsigned char* v(int stage) { return at(map.s_v + stage * map.tile_bytes); }
  static Barriers<C.stages>& barriers() {
    return *reinterpret_cast<Barriers<C.stages>*>(at(map.s_barriers));
  }
};

}  // namespace flashcore::forward_tma_wgmma
