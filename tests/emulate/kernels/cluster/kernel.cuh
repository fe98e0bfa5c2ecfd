// Small kernels over the wrappers of a cluster: what they do, and one mistake each. One entry
// point, so that one module holds all.
//
// Every block has a part of a sum, [threads][floats], which rank 0 adds up in the order of ranks.
#pragma once

#include "cluster/params.h"
#include "device/ptx/cluster.h"
#include "device/ptx/elect.h"
#include "device/ptx/tensor_copy.h"
#include "device/ptx/thread.h"
#include "device/ptx/vector.h"

namespace flashcore::cluster {

using device::cluster_rank;
using device::cluster_size;
using device::thread_index;

inline float* floats_at(int place) {
  return reinterpret_cast<float*>(device::tensor_memory() + place);
}
inline device::Mbarrier& arrived_barrier() {
  return *reinterpret_cast<device::Mbarrier*>(device::tensor_memory() + barriers_place);
}
/// In every block: that rank 0 has read what the block sent.
inline device::Mbarrier& freed_barrier() {
  return (&arrived_barrier())[1];
}
inline device::PeerAddress address_in(int rank, int place) {
  return device::peer_address(device::shared_address(device::tensor_memory() + place), rank);
}
inline device::PeerAddress arrived_barrier_of(int rank) {
  return address_in(rank, barriers_place);
}

/// The thread's part of what is [threads][floats] at a place.
template <int Floats>
int part_place(int place) {
  return place + thread_index() * Floats * 4;
}
/// Where rank 0 collects the thread's part of a block.
template <int Floats>
int slot_place(int rank) {
  return part_place<Floats>(parts_place + rank * threads * Floats * 4);
}

template <int Floats>
device::Vector<float, Floats> own_part(const Params& params) {
  return device::load_vector<float, Floats>(
      params.g_in + (device::block_index() * threads + thread_index()) * Floats);
}

/// Rank 0 adds what part_of(rank) gives.
template <int Floats, typename PartOf>
void add_parts(const Params& params, PartOf&& part_of) {
  if (cluster_rank() != 0) return;
  device::Vector<float, Floats> sum{};
  for (int rank = 0; rank < cluster_size(); ++rank) {
    const device::Vector<float, Floats> part = part_of(rank);
    for (int i = 0; i < Floats; ++i) sum.values[i] += part.values[i];
  }
  device::store_vector(
      sum,
      params.g_out + (device::block_index() / cluster_size() * threads + thread_index()) * Floats);
}

template <int Floats>
void add_slots(const Params& params) {
  add_parts<Floats>(params, [](int rank) {
    return device::load_vector<float, Floats>(floats_at(slot_place<Floats>(rank)));
  });
}

/// The cluster's blocks have started, and know the barrier of rank 0: so many threads arrive there.
inline void begin(int arrivals, bool fenced = true) {
  if (thread_index() == 0) {
    device::init(arrived_barrier(), arrivals);
    device::init(freed_barrier(), threads);
    if (fenced) device::fence_barrier_init();
  }
  device::cluster_arrive_relaxed();
  device::cluster_wait();
}

template <int Floats>
void sum_by_loads(const Params& params) {
  const auto is = [&](Exchange which) { return params.broken && params.which == which; };
  device::store_vector(own_part<Floats>(params), floats_at(part_place<Floats>(own_place)));
  if (is(Exchange::relaxed_arrival))
    device::cluster_arrive_relaxed();
  else
    device::cluster_arrive();
  device::cluster_wait();
  add_parts<Floats>(params, [&](int rank) {
    int place = part_place<Floats>(own_place);
    if (is(Exchange::unwritten_by_the_peer)) place += threads * Floats * 4;
    if (is(Exchange::past_the_peers_memory)) place = shared_bytes + 48;
    if (is(Exchange::misaligned_in_the_peer)) place += 2;
    return device::load_peer<Floats>(
        address_in(is(Exchange::rank_outside) ? rank + 1 : rank, place));
  });
  if (is(Exchange::overwritten_before_it_was_read))
    *floats_at(part_place<Floats>(own_place)) = 0.0F;
  if (!is(Exchange::peer_that_left)) device::cluster_barrier();
  if (!is(Exchange::peer_that_left)) *floats_at(part_place<Floats>(own_place)) = 0.0F;
}

template <int Floats>
void sum_by_stores(const Params& params) {
  const auto is = [&](Exchange which) { return params.broken && params.which == which; };
  if (!is(Exchange::before_the_peer_started)) device::cluster_barrier();
  device::store_peer(address_in(0, slot_place<Floats>(cluster_rank())), own_part<Floats>(params));
  if (!is(Exchange::missing_cluster_barrier)) device::cluster_barrier();
  add_slots<Floats>(params);
  if (is(Exchange::missing_cluster_barrier)) device::cluster_barrier();
}

/// A store, and an arrival that shows it.
template <int Floats>
void sum_by_arrivals(const Params& params) {
  const auto is = [&](Exchange which) { return params.broken && params.which == which; };
  if (is(Exchange::arrival_at_nothing))
    device::cluster_barrier();
  else
    begin(threads * cluster_size(), !is(Exchange::init_that_is_not_shown));
  device::store_peer(address_in(0, slot_place<Floats>(cluster_rank())), own_part<Floats>(params));
  device::arrive_peer(arrived_barrier_of(0));
  if (cluster_rank() != 0) return;
  if (is(Exchange::wait_of_the_block))
    device::wait_suspended(arrived_barrier(), 0);
  else
    device::wait_cluster(arrived_barrier(), 0);
  add_slots<Floats>(params);
}

template <int Floats>
void sum_by_counted_stores(const Params& params) {
  const auto is = [&](Exchange which) { return params.broken && params.which == which; };
  begin(1);
  const int more = is(Exchange::counted_too_few) ? -Floats * 4 : 0;
  if (cluster_rank() == 0 && thread_index() == 0)
    device::arrive_and_expect(arrived_barrier(), cluster_size() * threads * Floats * 4 + more);
  device::store_peer_counted(address_in(0, slot_place<Floats>(cluster_rank())),
                             own_part<Floats>(params),
                             arrived_barrier_of(is(Exchange::counted_elsewhere) ? 1 : 0));
  if (cluster_rank() != 0 || is(Exchange::counted_and_left)) return;
  if (is(Exchange::counted_and_wait_of_the_block))
    device::wait_suspended(arrived_barrier(), 0);
  else if (!is(Exchange::counted_and_not_awaited))
    device::wait_cluster(arrived_barrier(), 0);
  add_slots<Floats>(params);
}

/// Twice through the same slots: the second time when rank 0 has read them.
template <int Floats>
void sum_twice(const Params& params) {
  begin(1);
  for (int turn = 0; turn < 2; ++turn) {
    if (turn == 1 && !params.broken) device::wait_cluster(freed_barrier(), 0);
    if (cluster_rank() == 0 && thread_index() == 0)
      device::arrive_and_expect(arrived_barrier(), cluster_size() * threads * Floats * 4);
    device::store_peer_counted(address_in(0, slot_place<Floats>(cluster_rank())),
                               own_part<Floats>(params), arrived_barrier_of(0));
    if (cluster_rank() != 0) continue;
    device::wait_cluster(arrived_barrier(), turn);
    add_slots<Floats>(params);
    if (turn == 1) break;
    for (int rank = 0; rank < cluster_size(); ++rank)
      device::arrive_peer(address_in(rank, barriers_place + 8));
  }
}

template <int Floats>
void sum_by_copies(const Params& params) {
  const auto is = [&](Exchange which) { return params.broken && params.which == which; };
  constexpr int bytes = threads * Floats * 4;
  begin(1, !is(Exchange::copy_without_init_fence));
  if (is(Exchange::copy_without_init_fence)) device::cluster_barrier();
  device::store_vector(own_part<Floats>(params), floats_at(part_place<Floats>(own_place)));
  if (!is(Exchange::copy_without_async_fence)) device::fence_async_proxy();
  device::block_barrier();
  if (thread_index() == 0) {
    if (cluster_rank() == 0) device::arrive_and_expect(arrived_barrier(), cluster_size() * bytes);
    device::copy_to_peer(address_in(0, parts_place + cluster_rank() * bytes),
                         device::tensor_memory() + own_place,
                         is(Exchange::copy_of_odd_size) ? bytes - 4 : bytes, arrived_barrier_of(0));
  }
  if (is(Exchange::copy_of_what_is_overwritten) && thread_index() == 0)
    *floats_at(part_place<Floats>(own_place)) = 0.0F;
  if (cluster_rank() == 0) {
    device::wait_cluster(arrived_barrier(), 0);
    add_slots<Floats>(params);
  }
  if (is(Exchange::copy_from_one_that_left)) return;
  device::cluster_barrier();  // rank 0 has waited: the copies have been read
  *floats_at(part_place<Floats>(own_place)) = 0.0F;
}

template <int Floats>
void sum(const Params& params) {
  switch (params.which) {
    case Exchange::before_the_peer_started:
    case Exchange::missing_cluster_barrier:
    case Exchange::sum_by_stores: return sum_by_stores<Floats>(params);
    case Exchange::arrival_at_nothing:
    case Exchange::init_that_is_not_shown:
    case Exchange::wait_of_the_block:
    case Exchange::sum_by_arrivals: return sum_by_arrivals<Floats>(params);
    case Exchange::counted_and_wait_of_the_block:
    case Exchange::counted_and_not_awaited:
    case Exchange::counted_and_left:
    case Exchange::counted_elsewhere:
    case Exchange::counted_too_few:
    case Exchange::sum_by_counted_stores: return sum_by_counted_stores<Floats>(params);
    case Exchange::counted_over_what_is_read:
    case Exchange::sum_twice: return sum_twice<Floats>(params);
    case Exchange::copy_without_async_fence:
    case Exchange::copy_of_what_is_overwritten:
    case Exchange::copy_from_one_that_left:
    case Exchange::copy_of_odd_size:
    case Exchange::copy_without_init_fence:
    case Exchange::sum_by_copies: return sum_by_copies<Floats>(params);
    default: return sum_by_loads<Floats>(params);
  }
}

/// Rank 0 loads a box into every block; each writes out its own.
inline void multicast(const Params& params) {
  const auto is = [&](Exchange which) { return params.broken && params.which == which; };
  begin(1);
  const bool last = cluster_rank() == cluster_size() - 1;
  unsigned char* s_box = device::tensor_memory() + box_place;
  if (thread_index() == 0 && !(is(Exchange::multicast_unexpected) && last))
    device::arrive_and_expect(arrived_barrier(), box_bytes);
  const int blocks = cluster_size() + (is(Exchange::multicast_outside) ? 1 : 0);
  if (thread_index() == 0 && cluster_rank() == 0)
    device::copy_tensor_multicast(params.box, s_box, arrived_barrier(),
                                  static_cast<unsigned short>((1 << blocks) - 1), 0, 0, 0, 0);
  if (params.which == Exchange::multicast_not_awaited) device::cluster_barrier();
  if (is(Exchange::multicast_unexpected) && last) return device::cluster_barrier();
  if (!is(Exchange::multicast_not_awaited) || !last) device::wait_suspended(arrived_barrier(), 0);
  for (int i = thread_index(); i < box_bytes / 4; i += threads)
    params.g_out[device::block_index() * (box_bytes / 4) + i] = floats_at(box_place)[i];
  if (is(Exchange::multicast_unexpected)) device::cluster_barrier();
}

/// Every warp arrives and waits the same number of times.
inline void unpaired(const Params& params) {
  const auto is = [&](Exchange which) { return params.broken && params.which == which; };
  if (!is(Exchange::wait_without_an_arrival)) device::cluster_arrive();
  if (!is(Exchange::arrival_without_a_wait)) device::cluster_wait();
  device::cluster_barrier();
}

/// One warp of rank 1 waits for what does not come.
inline void block_that_hangs(const Params& params) {
  begin(1);
  if (params.broken && cluster_rank() == 1 && device::warp_index() == 1)
    device::wait(arrived_barrier(), 0);
  device::cluster_barrier();
}

/// Rank 1 writes what rank 0 has written.
inline void unordered_in_global_memory(const Params& params) {
  if (cluster_rank() == 0) params.g_out[thread_index()] = 1.0F;
  if (!params.broken) device::cluster_barrier();
  if (cluster_rank() == 1) params.g_out[thread_index()] = 2.0F;
}

inline void kernel(const Params params) {
  switch (params.which) {
    case Exchange::multicast:
    case Exchange::multicast_unexpected:
    case Exchange::multicast_outside:
    case Exchange::multicast_not_awaited: return multicast(params);
    case Exchange::arrival_without_a_wait:
    case Exchange::wait_without_an_arrival: return unpaired(params);
    case Exchange::block_that_hangs: return block_that_hangs(params);
    case Exchange::unordered_in_global_memory: return unordered_in_global_memory(params);
    default: break;
  }
  switch (params.floats) {
    case 1: return sum<1>(params);
    case 2: return sum<2>(params);
    default: return sum<4>(params);
  }
}

}  // namespace flashcore::cluster
