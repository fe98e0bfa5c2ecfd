// What the kernels of cluster/kernel.cuh are asked; shared with the test.
#pragma once

#include "device/tensor_map.h"

namespace flashcore::cluster {

enum class Exchange {
  // What the wrappers do: a sum over the blocks, in each way that brings their parts together, and
  // a box for all of them.
  sum_by_loads,
  sum_by_stores,
  sum_by_arrivals,
  sum_by_counted_stores,
  sum_by_copies,
  sum_twice,
  multicast,
  // What they must not be used for: each with one mistake, and without.
  before_the_peer_started,
  peer_that_left,
  missing_cluster_barrier,
  relaxed_arrival,
  overwritten_before_it_was_read,
  unwritten_by_the_peer,
  past_the_peers_memory,
  misaligned_in_the_peer,
  rank_outside,
  arrival_without_a_wait,
  wait_without_an_arrival,
  block_that_hangs,
  wait_of_the_block,
  counted_and_wait_of_the_block,
  counted_and_not_awaited,
  counted_and_left,
  counted_elsewhere,
  counted_too_few,
  counted_over_what_is_read,
  arrival_at_nothing,
  init_that_is_not_shown,
  copy_without_async_fence,
  copy_of_what_is_overwritten,
  copy_from_one_that_left,
  copy_of_odd_size,
  copy_without_init_fence,
  multicast_unexpected,
  multicast_outside,
  multicast_not_awaited,
  unordered_in_global_memory,
};

inline constexpr int threads = 64;
inline constexpr int most_blocks = 8;
inline constexpr int most_floats = 4;  // of a thread's part
inline constexpr int box_bytes = 64 * 32 * 2;
inline constexpr int parts_place = 0;  // float [blocks][threads][floats]
inline constexpr int own_place =
    most_blocks * threads * most_floats * 4;  // float [threads][floats]
inline constexpr int box_place = own_place + threads * most_floats * 4;
inline constexpr int barriers_place = box_place + box_bytes;  // Mbarrier [2]
inline constexpr int shared_bytes = barriers_place + 16;

struct Params {
  Exchange which;
  bool broken;
  int floats;         // of a thread's part: 1, 2 or 4
  const float* g_in;  // [blocks][threads][floats]
  float* g_out;       // [clusters][threads][floats], or the boxes [blocks] as they lie
  device::TensorMap box;
};

}  // namespace flashcore::cluster
