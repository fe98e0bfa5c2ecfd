// Attention with the matrix instruction of Ampere: mma.sync fragments in registers from Q K^T to
// the output, tiles of K and V copied ahead by cp.async.
//
// A block owns block_q rows of one head; each warp has rows_per_warp of them, and where kv_warps is
// more than 1 its share of every tile's keys (with share_weights, of its columns of V). Dataflow,
// for each tile of block_kv keys:
//   global K, V -> shared, swizzled -> ldmatrix -> scores -> online softmax -> output,
// the last three in registers. With kv_splits the keys are dealt to several blocks, and
// merge_splits joins what they found, in the order of the keys.
#pragma once

#include "device/ptx/cp_async.h"
#include "device/ptx/opaque.h"
#include "device/ptx/thread.h"
#include "device/tile/ring.h"
#include "forward_mma/epilogue.cuh"
#include "forward_mma/shared_sweep.cuh"
#include "forward_mma/sweep.cuh"
#include "forward_mma/tile_math.cuh"

namespace flashcore::forward_mma {

/// This thread's part in copying tiles: one column of chunks, every rows_per_pass-th row. All but
/// the address is computed again for every tile instead of kept in registers.
template <Config C, typename T>
struct TileCopier {
  const long long& stride;  // of rows, in elements
  int head_dim;
  const T* g_next;  // this thread's first chunk of the next tile

  TileCopier(const T* g_rows, const long long& row_stride, int columns)
      : stride(row_stride), head_dim(columns) {
    const int thread = device::thread_index();
    g_next = g_rows + thread / chunks(C) * row_stride + thread % chunks(C) * 8;
  }

  /// Starts the copy of the next `Rows` rows to a swizzled tile. Of them row_count exist; the
  /// others and columns from head_dim on become 0.
  template <int Rows>
  void copy(int row_count, unsigned char* s_tile) {
    const T* g_pass = device::opaque(g_next);
    const long long row_stride = device::opaque(static_cast<int>(stride));
    g_next += row_stride * Rows;
    const auto thread = device::opaque(static_cast<unsigned>(device::thread_index()));
    const int row = static_cast<int>(thread / chunks(C));
    const int chunk = static_cast<int>(thread % chunks(C));
    if (row >= rows_per_pass(C)) return;
    const int s_offset = TileSwizzle<C>::offset(row, chunk);
    const int present = chunk * 8 < head_dim ? row_count - row : 0;
#pragma unroll
    for (int pass = 0; pass < Rows; pass += rows_per_pass(C)) {
      if (Rows - pass < rows_per_pass(C) && row >= Rows - pass) return;
      device::copy_async_16(TileSwizzle<C>::down(s_tile, s_offset, pass), g_pass, pass < present);
      g_pass += row_stride * rows_per_pass(C);
    }
  }
};

/// Changes the sign of what this thread copied of Q. Its copies have completed.
template <Config C>
void flip_q_sign(unsigned sign, unsigned char* s_q) {
  const int first_row = device::thread_index() / chunks(C);
  if (first_row >= rows_per_pass(C)) return;
  for (int row = first_row; row < block_q(C); row += rows_per_pass(C)) {
    unsigned char* const s_chunk =
        s_q + TileSwizzle<C>::offset(row, device::thread_index() % chunks(C));
    Chunk chunk = load_chunk(s_chunk);
    for (unsigned& word : chunk.values) word ^= sign;
    store_chunk(chunk, s_chunk);
  }
}

template <Config C>
__global__ void __launch_bounds__(threads(C), C.blocks_per_multiprocessor)
    forward(const __grid_constant__ Params params) {
  using T = device::Storage<C.element>;
  constexpr Layout map = layout(C);
  unsigned char* const shared = device::shared_memory();

  const BlockTask task = block_task<C>(params);
  const Keys keys = keys_of_block<C>(params, task.first_row, task.split);
  TileCopier<C, T> copy_k(static_cast<const T*>(params.g_k) +
                              params.k_strides.offset(task.batch, task.kv_head, keys.begin),
                          params.k_strides.seq, params.head_dim);
  TileCopier<C, T> copy_v(static_cast<const T*>(params.g_v) +
                              params.v_strides.offset(task.batch, task.kv_head, keys.begin),
                          params.v_strides.seq, params.head_dim);
  const auto copy_k_tile = [&](int key, int stage) {
    if (key < keys.end)
      copy_k.template copy<C.block_kv>(keys.end - key, shared + map.s_k + stage * map.tile_bytes);
  };
  const auto copy_v_tile = [&](int key, int stage) {
    if (key < keys.end)
      copy_v.template copy<C.block_kv>(keys.end - key, shared + map.s_v + stage * map.tile_bytes);
  };

  TileCopier<C, T> copy_q(static_cast<const T*>(params.g_q) +
                              params.q_strides.offset(task.batch, task.head, task.first_row),
                          params.q_strides.seq, params.head_dim);
  copy_q.template copy<block_q(C)>(seq_q(params) - task.first_row, shared + map.s_q);
  device::copy_async_commit();
  // As iterations need them: a tile of V one later than that of K.
#pragma unroll
  for (int stage = 0; stage < tiles_ahead(C); ++stage) {
    copy_k_tile(keys.begin + stage * C.block_kv, stage);
    if (stage > 0) copy_v_tile(keys.begin + (stage - 1) * C.block_kv, stage - 1);
    device::copy_async_commit();
  }
  if (C.stages == 1) copy_v_tile(keys.begin, 0);  // joins the first iteration's group

  if (C.q_in_registers || params.flip_q_sign != 0)
    device::copy_async_wait<tiles_ahead(C)>();  // all but the tiles: this thread's part of Q
  if (params.flip_q_sign != 0) flip_q_sign<C>(params.flip_q_sign, shared + map.s_q);
  // Where Q is read from shared memory, the first iteration's barrier does.
  if constexpr (C.q_in_registers) device::block_barrier();  // everyone's part of Q is there
  const WarpPlace place = warp_place<C>();
  const int first_row = task.first_row + place.row_warp * C.rows_per_warp;
  const device::SharedAddress s_base = device::shared_address(shared);
  const QueryTile<C> q(
      s_base + map.s_q + place.row_warp * C.rows_per_warp * TileSwizzle<C>::row_bytes, place.lane);

  SweepOf<C> sweep{params, first_row, place.lane};
  device::Ring<C.stages> ring;
#pragma unroll 1
  for (int key = keys.begin;; key += C.block_kv) {
    sweep.meet(key == keys.begin + C.block_kv);
    if constexpr (C.stages > 1) {
      copy_k_tile(key + (C.stages - 1) * C.block_kv, ring.before(1));
      copy_v_tile(key + (C.stages - 2) * C.block_kv, ring.before(2));
    } else if (key > keys.begin + C.block_kv) {
      copy_v_tile(key - C.block_kv, 0);
    }
    device::copy_async_commit();  // an empty group too, so that waits can count
    const auto refill_k = [&] {
      device::copy_async_wait<0>();  // this thread's part of the tile of V
      device::block_barrier();       // everyone's has landed, everyone is done with the tile of K
      copy_k_tile(key + C.block_kv, 0);
      device::copy_async_commit();
    };
    const device::SharedAddress s_k = s_base + map.s_k + ring.stage * map.tile_bytes +
                                      place.kv_warp * warp_kv(C) * TileSwizzle<C>::row_bytes;
    const device::SharedAddress s_v =
        s_base + map.s_v + ring.before(1) * map.tile_bytes + place.kv_warp * warp_v_offset(C);
    sweep.iterate(q, s_k, s_v,
                  warp_tile<C>(params, device::opaque(first_row), key, place.kv_warp, keys.end),
                  refill_k);
    if (key >= keys.end) break;  // those were the last values
    ring.advance();
  }

  device::copy_async_wait<0>();
  device::block_barrier();  // everyone is done with the tiles, which the results overwrite
  sweep.join_sums();
  if constexpr (merges(C))
    merge_warps<C>(params, sweep.rows, sweep.r_out);
  else
    store_rows<C>(params, sweep.rows, sweep.r_out);
}

}  // namespace flashcore::forward_mma
