// Which part of the work is whose: a block's tasks, and the keys that their rows look at.
#pragma once

#include "device/ptx/cluster.h"
#include "device/ptx/opaque.h"
#include "device/ptx/thread.h"
#include "forward_tma_wgmma/config.h"
#include "forward_tma_wgmma/params.h"

namespace flashcore::forward_tma_wgmma {

using device::Keys;
using device::keys_between;
using device::last_row;
using device::seq_q;

/// A head tile's block of positions, by its number among the call's. Of blocks that stay heads come
/// one after the other, so that those which work at the same time share K and V, each from its last
/// positions on. Where tasks wait for blocks to end, all heads' last positions come first: a causal
/// mask leaves them the longest tasks.
struct TaskPlace {
  unsigned q_block;
  int batch;
  int head;  // the tile's first
  int kv_head;
};

template <Config C>
TaskPlace place_of(const Params& params, unsigned index) {
  const auto parts = (stays(C) ? params.q_blocks : params.call_tiles).divide(index);
  const unsigned head_tile = stays(C) ? parts.quotient : parts.remainder;
  const unsigned q_blocks_behind = stays(C) ? parts.remainder : parts.quotient;
  const auto by_batch = params.head_tiles.divide(head_tile);
  const auto by_kv_head = params.group_tiles.divide(by_batch.remainder);
  const unsigned head = C.pack_heads != 0 ? by_kv_head.quotient * params.group_size.value +
                                                (by_kv_head.remainder << params.tile_heads_log2)
                                          : by_batch.remainder;
  return {.q_block = params.q_blocks.value - 1 - q_blocks_behind,
          .batch = static_cast<int>(by_batch.quotient),
          .head = static_cast<int>(head),
          .kv_head = static_cast<int>(by_kv_head.quotient)};
}

/// Positions of seq_q that so many warpgroups' rows hold.
template <Config C>
int positions(const Params& params, int warpgroups) {
  return warpgroups * (C.pack_heads != 0 ? params.warpgroup_positions : warpgroup_rows);
}

/// Of a row of the tile, counted from the tile's first position.
template <Config C>
int position_of(const Params& params, int row) {
  return C.pack_heads != 0 ? row >> params.tile_heads_log2 : row;
}

/// A row of a task's tile.
struct QueryRow {
  int position;
  int head;
  bool exists;
};

/// Row `row` of the tile at `place`, whose first position is given.
template <Config C>
QueryRow query_row(const Params& params, const TaskPlace& place, int first_position, int row) {
  const int position = first_position + position_of<C>(params, row);
  const bool in_sequence = static_cast<unsigned>(position) < params.seq_q;
  if constexpr (C.pack_heads == 0) return {position, place.head, in_sequence};
  const int head = place.head + (row & ((1 << params.tile_heads_log2) - 1));
  const bool in_group = head - place.kv_head * static_cast<int>(params.group_size.value) <
                        static_cast<int>(params.group_size.value);
  return {position, head, in_sequence && in_group};
}

/// A block's share of a task: what the loop over a task's tiles needs to know. The rest is worked
/// out again where it is asked for: registers are short, divisions here are multiplications.
struct Task {
  unsigned index;
  int first_position;
  int first_key;  // of the share's tile that comes last
  int tiles;      // of block_kv keys: at least one, which may see no keys
};

/// Of a head's blocks of positions the first may begin before its first row, none ends after the
/// last.
template <Config C>
int first_position_of(const ParamsOf<C>& params, const TaskPlace& place) {
  const int first = static_cast<int>(place.q_block) * positions<C>(params, C.consumers);
  if constexpr (stays(C))
    return first - params.missing_positions;
  else
    return first;
}

template <Config C>
Task task_of(const ParamsOf<C>& params, unsigned index) {
  const int count = positions<C>(params, C.consumers);
  const int first = first_position_of<C>(params, place_of<C>(params, index));
  const Keys keys = keys_between(params, first, last_row(params, first, count));
  const int tiles = (keys.count() + C.block_kv - 1) / C.block_kv;
  int begin = 0;
  int end = tiles;
  if constexpr (C.kv_splits > 1) {
    begin = tiles * device::cluster_rank() / C.kv_splits;
    end = tiles * (device::cluster_rank() + 1) / C.kv_splits;
  }
  const bool none = begin == end;
  return {.index = index,
          .first_position = first,
          .first_key = none ? -C.block_kv : keys.begin + begin * C.block_kv,
          .tiles = none ? 1 : end - begin};
}

/// Tiles are taken from the last to the first: those that a causal mask crosses come first, and the
/// steady rest needs no comparisons.
template <Config C>
constexpr int first_key_of(const Task& task, int tile) {
  return task.first_key + (task.tiles - 1 - tile) * C.block_kv;
}

/// The keys that every one of a warpgroup's rows sees.
template <Config C>
Keys keys_of_all_rows(const Params& params, const Task& task) {
  const int first = task.first_position;
  return keys_between(params, first + positions<C>(params, 1) - 1, first);
}

/// Tiles [begin, end) of a task.
struct Tiles {
  int begin;
  int end;
  constexpr bool has(int tile) const { return begin <= tile && tile < end; }
};

/// Those of which every one of a warpgroup's rows sees every key.
template <Config C>
Tiles plain_tiles(const Params& params, const Task& task) {
  const Keys all = keys_of_all_rows<C>(params, task);
  const auto tiles = [](int keys, int rounding) {
    return keys > 0 ? (keys + rounding) / C.block_kv : 0;
  };
  return {.begin = task.tiles - tiles(all.end - task.first_key, 0),
          .end = task.tiles - tiles(all.begin - task.first_key, C.block_kv - 1)};
}

/// A warpgroup's share of a task.
struct Assignment {
  Task task;         // from the warpgroup's first position on; its tiles, 0 where there is no task
  int hidden_tiles;  // of the block's, before the first that the warpgroup's rows see
  int narrow;        // whether they see no more of that than narrow_keys(C)
};

template <Config C>
Assignment share_of(const ParamsOf<C>& params, const Task& task, int slot) {
  Assignment share{.task = task, .hidden_tiles = 0, .narrow = 0};
  share.task.first_position += positions<C>(params, slot);
  const int last = share.task.first_position + positions<C>(params, 1) - 1;
  const int end = keys_between(params, share.task.first_position, last).end;
  if constexpr (passes_over_hidden(C))
    while (share.task.tiles > 1 && end <= first_key_of<C>(share.task, 0)) {
      --share.task.tiles;
      ++share.hidden_tiles;
    }
  share.narrow = end <= first_key_of<C>(share.task, 0) + narrow_keys(C) ? 1 : 0;
  return share;
}

/// Which of a task's 64 rows a consumer takes in a round.
template <Config C>
int slot_of(int consumer, unsigned round) {
  if constexpr (!rotates(C)) return consumer;
  return static_cast<int>((static_cast<unsigned>(consumer) + round) % C.consumers);
}

/// A block's tasks, or a cluster's only one.
template <Config C>
class Schedule {
 public:
  explicit Schedule(const ParamsOf<C>& params) : params_(params) {
    next_ = index_of(0);
    advance();
  }

  /// Without a look at the arguments, which come late, where there are as many blocks as tasks.
  bool has_task() const { return stays(C) ? index_ < params_.tasks : round_ == 1; }
  unsigned index() const { return index_; }
  unsigned next_index() const { return next_; }
  /// Of the task that it is at, from 0 on.
  unsigned round() const { return round_ - 1; }
  void advance() {
    ++round_;
    index_ = next_;
    next_ = index_of(round_);
  }

 private:
  unsigned index_of(unsigned round) const {
    const auto block = static_cast<unsigned>(device::block_index()) / C.kv_splits;
    if constexpr (!stays(C))
      return block;
    else
      return dealt_task(params_.deal, params_.tasks, params_.blocks, block, round);
  }

  const ParamsOf<C>& params_;
  unsigned round_ = 0;
  unsigned index_ = 0;
  unsigned next_ = 0;
};

}  // namespace flashcore::forward_tma_wgmma
