// Attention with the matrix instruction of Ampere: mma.sync fragments in registers from Q K^T to
// the output, tiles of K and V copied ahead by cp.async.
//
// A block owns block_q rows of one head; each warp has rows_per_warp of them, and where kv_warps is
// more than 1 its share of every tile's keys. Dataflow, for each tile of block_kv keys:
//   global K, V -> shared, swizzled -> ldmatrix -> scores -> online softmax -> output,
// the last three in registers. With kv_splits the keys are dealt to several blocks, and
// merge_splits joins what they found, in the order of the keys.
#pragma once

#include "device/ptx/cp_async.h"
#include "device/ptx/opaque.h"
#include "device/ptx/thread.h"
#include "device/tile/ring.h"
#include "forward_mma/epilogue.cuh"
#include "forward_mma/sweep.cuh"
#include "forward_mma/tile_math.cuh"

namespace flashcore::forward_mma {

/// This thread's part in copying tiles: one column of chunks, every rows_per_pass-th row.
template <Config C, typename T>
struct TileCopier {
  const T* g_next;  // this thread's first chunk of the next tile
  int row_stride;   // in elements
  int row;          // of a tile; past every tile where the chunk is not part of the head_dim
  int s_offset;

  TileCopier(const T* g_rows, long long stride, int head_dim)
      : row_stride(static_cast<int>(stride)) {
    const int thread = device::thread_index();
    const int chunk = thread % chunks(C);
    row = thread / chunks(C);
    g_next = g_rows + row * stride + chunk * 8;
    s_offset = TileSwizzle<C>::offset(row, chunk);
    if (chunk * 8 >= head_dim) row += band_limit;
  }

  /// Starts the copy of the next `Rows` rows to a swizzled tile. Of them row_count exist; the
  /// others and columns from head_dim on become 0.
  template <int Rows>
  void copy(int row_count, unsigned char* s_tile) {
    const T* g_pass = device::opaque(g_next);
    const long long stride = device::opaque(row_stride);
    g_next += stride * Rows;
    const int tile_row = row & band_limit - 1;
    if (tile_row >= rows_per_pass(C)) return;
#pragma unroll
    for (int pass = 0; pass < Rows; pass += rows_per_pass(C)) {
      if (Rows - pass < rows_per_pass(C) && tile_row >= Rows - pass) return;
      device::copy_async_16(TileSwizzle<C>::down(s_tile, s_offset, pass), g_pass,
                            row < row_count - pass);
      g_pass += stride * rows_per_pass(C);
    }
  }
};

/// Changes the sign of what this thread copied of Q. Its copies have completed.
template <Config C>
void flip_q_sign(unsigned sign, unsigned char* s_q) {
  const int first_row = device::thread_index() / chunks(C);
  if (first_row >= rows_per_pass(C)) return;
  for (int row = first_row; row < block_q(C); row += rows_per_pass(C)) {
    auto& s_chunk = *reinterpret_cast<Chunk*>(
        s_q + TileSwizzle<C>::offset(row, device::thread_index() % chunks(C)));
    for (unsigned& word : s_chunk.values) word ^= sign;
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
  for (int stage = 0; stage < C.stages - 1; ++stage) {
    copy_k_tile(keys.begin + stage * C.block_kv, stage);
    if (stage > 0) copy_v_tile(keys.begin + (stage - 1) * C.block_kv, stage - 1);
    device::copy_async_commit();
  }

  device::copy_async_wait<C.stages - 1>();  // all but the tiles: Q
  if (params.flip_q_sign != 0) flip_q_sign<C>(params.flip_q_sign, shared + map.s_q);
  device::block_barrier();  // everyone's part of Q is there
  const WarpPlace place = warp_place<C>();
  const int first_row = task.first_row + place.row_warp * C.rows_per_warp;
  const device::SharedAddress s_base = device::shared_address(shared);
  const QueryTile<C> q(
      s_base + map.s_q + place.row_warp * C.rows_per_warp * TileSwizzle<C>::row_bytes, place.lane);

  Sweep<C> sweep{params, first_row, place.lane};
  device::Ring<C.stages> ring;
#pragma unroll 1
  for (int key = keys.begin;; key += C.block_kv) {
    device::copy_async_wait<C.stages - 2>();  // this thread's part of this iteration's tiles
    device::block_barrier();  // everyone's has landed, everyone is done with the tiles before
    copy_k_tile(key + (C.stages - 1) * C.block_kv, ring.before(1));
    copy_v_tile(key + (C.stages - 2) * C.block_kv, ring.before(2));
    device::copy_async_commit();  // an empty group too, so that waits can count
    const int s_warp = place.kv_warp * warp_kv(C) * TileSwizzle<C>::row_bytes;
    const TileReader<C> v_reader(s_base + map.s_v + ring.before(1) * map.tile_bytes + s_warp,
                                 device::matrix_row(place.lane));
    sweep.iterate(q, s_base + map.s_k + ring.stage * map.tile_bytes + s_warp, v_reader,
                  warp_tile<C>(params, device::opaque(first_row), key, place.kv_warp, keys.end));
    if (key >= keys.end) break;  // those were the last values
    ring.advance();
  }

  if constexpr (merges(C))
    merge_warps<C>(params, sweep.rows, sweep.r_out);
  else
    store_rows<C>(params, sweep.rows, sweep.r_out);
}

}  // namespace flashcore::forward_mma
