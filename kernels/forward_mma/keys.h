// Which keys rows, blocks and warps look at; in 32 bits, and shared with the host for its tests.
#pragma once

#include "forward_mma/config.h"
#include "forward_mma/params.h"

namespace flashcore::forward_mma {

using device::intersection;
using device::Keys;
using device::keys_between;
using device::keys_of_row;
using device::last_row;
using device::seq_kv;
using device::seq_q;

/// The keys that the block of rows from first_row on multiplies: those its rows see, or its split
/// of them in whole tiles.
template <Config C>
constexpr Keys keys_of_block(const Params& params, int first_row, int split) {
  const Keys keys = keys_between(params, first_row, last_row(params, first_row, block_q(C)));
  if constexpr (C.kv_splits == 1) return keys;
  const unsigned tiles = static_cast<unsigned>(keys.count() + C.block_kv - 1) / C.block_kv;
  const unsigned split_tiles = params.kv_splits.divide(tiles + params.kv_splits.value - 1).quotient;
  const int split_keys = static_cast<int>(split_tiles) * C.block_kv;
  const int begin = keys.begin + split * split_keys;
  return intersection(keys, {begin, begin + split_keys});
}

/// A warp's part of a tile.
struct WarpTile {
  int first_key;
  bool visible;  // some of its rows see some of its keys, or of those it shares the weights of
  bool masked;   // some of its rows do not see some of its keys
};

/// Of the tile whose first key is tile_key, in a block whose keys end at block_end, for the warp
/// whose rows begin at first_row.
template <Config C>
constexpr WarpTile warp_tile(const Params& params, int first_row, int tile_key, int kv_warp,
                             int block_end) {
  const int last = last_row(params, first_row, C.rows_per_warp);
  const int first_key = tile_key + kv_warp * warp_kv(C);
  const int end_key = first_key + warp_kv(C);
  const Keys weighed =
      C.share_weights ? Keys{tile_key, tile_key + C.block_kv} : Keys{first_key, end_key};
  const Keys some = keys_between(params, first_row, last);
  const Keys all = keys_between(params, last, first_row);
  return {.first_key = first_key,
          .visible = tile_key < block_end && first_row < seq_q(params) &&
                     !intersection(weighed, some).empty(),
          .masked = first_key < all.begin || end_key > all.end};
}

}  // namespace flashcore::forward_mma
