// Every block notes the tasks that forward_tma_wgmma's task.h gives it.
#pragma once

#include "device/ptx/thread.h"
#include "forward_tma_wgmma/task.h"
#include "walk/params.h"

namespace flashcore::walk {

template <Config C>
void note_rows(const Params& params, const forward_tma_wgmma::TaskPlace& place,
               int first_position) {
  const auto& call = params.call;
  for (int i = 0; i < forward_tma_wgmma::warpgroup_rows; ++i) {
    const auto row = forward_tma_wgmma::query_row<C>(call, place, first_position, i);
    const auto head = place.batch * static_cast<int>(call.heads_q.value) + row.head;
    if (row.exists) ++params.g_rows[head * call.seq_q + row.position];
  }
}

/// Whether keys are left out that the warpgroup's rows see.
template <Config C>
bool hides_seen_keys(const Params& params, const forward_tma_wgmma::Task& task,
                     const forward_tma_wgmma::Assignment& share) {
  namespace family = forward_tma_wgmma;
  if (share.task.tiles < 1 || share.task.tiles + share.hidden_tiles != task.tiles) return true;
  const int first = share.task.first_position;
  const int last = first + family::positions<C>(params.call, 1) - 1;
  const int end = family::keys_between(params.call, first, last).end;
  const int first_hidden = family::first_key_of<C>(share.task, 0) +
                           (share.narrow != 0 ? family::narrow_keys(C) : C.block_kv);
  return (share.narrow != 0 || share.hidden_tiles > 0) && end > first_hidden;
}

/// Whether a tile is plain that one of the warpgroup's rows does not see all of, or is not that
/// all of them do.
template <Config C>
bool mistakes_plain_tiles(const Params& params, const forward_tma_wgmma::Task& task) {
  namespace family = forward_tma_wgmma;
  const auto plain = family::plain_tiles<C>(params.call, task);
  for (int tile = 0; tile < task.tiles; ++tile) {
    const int key = family::first_key_of<C>(task, tile);
    bool all_see_it = true;
    for (int i = 0; i < family::positions<C>(params.call, 1); ++i) {
      const auto seen = device::keys_of_row(params.call, task.first_position + i);
      all_see_it = all_see_it && seen.begin <= key && key + C.block_kv <= seen.end;
    }
    if (plain.has(tile) != all_see_it) return true;
  }
  return false;
}

/// Of the consumers' shares of a task.
template <Config C>
void walk_shares(const Params& params, const forward_tma_wgmma::Task& task, unsigned round) {
  namespace family = forward_tma_wgmma;
  for (int consumer = 0; consumer < C.consumers; ++consumer) {
    const auto share = family::share_of<C>(params.call, task, family::slot_of<C>(consumer, round));
    if (hides_seen_keys<C>(params, task, share) || mistakes_plain_tiles<C>(params, share.task))
      ++params.g_wrong[device::block_index()];
    if (device::cluster_rank() == 0)
      note_rows<C>(params, family::place_of<C>(params.call, task.index), share.task.first_position);
  }
}

template <Config C>
void walk(const Params& params) {
  namespace family = forward_tma_wgmma;
  const auto block = device::block_index();
  int count = 0;
  for (family::Schedule<C> schedule(params.call); schedule.has_task(); schedule.advance()) {
    const auto task = family::task_of<C>(params.call, schedule.index());
    const auto place = family::place_of<C>(params.call, schedule.index());
    for (int tile = 1; tile < task.tiles; ++tile)
      if (family::first_key_of<C>(task, tile) + C.block_kv !=
          family::first_key_of<C>(task, tile - 1))
        ++params.g_wrong[block];
    if (count < params.most_steps)
      params.g_steps[block * params.most_steps + count] = {
          .rank = device::cluster_rank(),
          .q_block = place.q_block,
          .batch = place.batch,
          .head = place.head,
          .kv_head = place.kv_head,
          .first_position = task.first_position,
          .last_tile = family::first_key_of<C>(task, task.tiles - 1),
          .tiles = task.tiles};
    walk_shares<C>(params, task, schedule.round());
    ++count;
  }
  params.g_counts[block] = count;
}

inline void kernel(const Params params) {
  if (device::thread_index() != 0) return;
  switch (params.config) {
    case 0: return walk<configs[0]>(params);
    case 1: return walk<configs[1]>(params);
    case 2: return walk<configs[2]>(params);
    case 3: return walk<configs[3]>(params);
    case 4: return walk<configs[4]>(params);
    case 5: return walk<configs[5]>(params);
    case 6: return walk<configs[6]>(params);
    case 7: return walk<configs[7]>(params);
    case 8: return walk<configs[8]>(params);
    default: return walk<configs[9]>(params);
  }
}

}  // namespace flashcore::walk
