// Small kernels with one mistake each, and the same without it, for the emulator's checks. One
// entry point, so that one module holds all.
#pragma once

#include "broken/params.h"
#include "device/ptx/cp_async.h"
#include "device/ptx/ldmatrix.h"
#include "device/ptx/mbarrier.h"
#include "device/ptx/shuffle.h"
#include "device/ptx/thread.h"
#include "device/ptx/vector.h"
#include "device/ptx/vote.h"
#include "device/tile/swizzle.h"

namespace flashcore::broken {

using Floats4 = device::Vector<float, 4>;

inline float* shared_floats() {
  return reinterpret_cast<float*>(device::shared_memory());
}

/// What nobody has written is another mistake's.
inline void clear_shared() {
  for (int i = device::thread_index(); i < shared_bytes / 4; i += threads)
    shared_floats()[i] = 0.0F;
  device::block_barrier();
}

inline void missing_barrier(const Params& params) {
  const int thread = device::thread_index();
  clear_shared();
  shared_floats()[thread] = 1.0F;
  if (!params.broken) device::block_barrier();
  params.g_out[thread] = shared_floats()[thread ^ 32];
}

inline void missing_barrier_before_overwriting(const Params& params) {
  const int thread = device::thread_index();
  for (int turn = 0; turn < 2; ++turn) {
    shared_floats()[thread] = 1.0F;
    device::block_barrier();
    params.g_out[thread] = shared_floats()[thread ^ 32];
    if (!params.broken) device::block_barrier();
  }
}

inline void missing_warp_barrier(const Params& params) {
  const int thread = device::thread_index();
  clear_shared();
  shared_floats()[thread] = 1.0F;
  if (!params.broken) device::warp_barrier();
  params.g_out[thread] = shared_floats()[thread ^ 1];
}

/// A shuffle brings the lanes together, and orders nothing in memory.
inline void shuffle_for_a_warp_barrier(const Params& params) {
  const int thread = device::thread_index();
  clear_shared();
  shared_floats()[thread] = 1.0F;
  const float other = device::shuffle_xor(2.0F, 1);
  if (!params.broken) device::warp_barrier();
  params.g_out[thread] = shared_floats()[thread ^ 1] + other;
}

inline void missing_barrier_in_global_memory(const Params& params) {
  const int thread = device::thread_index();
  params.g_out[thread] = 1.0F;
  if (!params.broken) device::warp_barrier();
  params.g_out[thread ^ 1] = 2.0F;
}

/// This thread's 16 bytes of the input, on their way to shared memory.
inline void start_copy(const Params& params, int place) {
  const int thread = device::thread_index();
  device::copy_async_16(device::shared_memory() + (place + thread) * 16, params.g_in + thread * 4,
                        true);
  device::copy_async_commit();
}

inline void missing_wait(const Params& params) {
  const int thread = device::thread_index();
  start_copy(params, 0);
  if (!params.broken) device::copy_async_wait<0>();
  params.g_out[thread] = shared_floats()[thread * 4];
}

inline void wait_for_too_few(const Params& params) {
  const int thread = device::thread_index();
  start_copy(params, 0);
  start_copy(params, threads);
  if (params.broken)
    device::copy_async_wait<1>();
  else
    device::copy_async_wait<0>();
  params.g_out[thread] = shared_floats()[(threads + thread) * 4];
}

inline void missing_barrier_after_wait(const Params& params) {
  const int thread = device::thread_index();
  clear_shared();
  start_copy(params, 0);
  device::copy_async_wait<0>();
  if (!params.broken) device::block_barrier();
  params.g_out[thread] = shared_floats()[(thread ^ 32) * 4];
}

inline void copy_over_what_is_read(const Params& params) {
  const int thread = device::thread_index();
  shared_floats()[thread * 4] = 1.0F;
  device::block_barrier();
  params.g_out[thread] = shared_floats()[(thread ^ 32) * 4];
  if (!params.broken) device::block_barrier();
  start_copy(params, 0);
  device::copy_async_wait<0>();
}

/// Warp 0 fills, warp 1 waits and reads.
inline void through_mbarrier(const Params& params, int arrivals, bool arrives) {
  auto& full = *reinterpret_cast<device::Mbarrier*>(device::shared_memory());
  float* s_values = shared_floats() + 32;
  const int thread = device::thread_index();
  if (thread == 0) device::init(full, arrivals);
  device::block_barrier();
  if (thread < 32) {
    s_values[thread] = 1.0F;
    if (arrives || thread != 7) device::arrive(full);
    if (params.which == Case::extra_arrival && params.broken && thread == 0) device::arrive(full);
  } else {
    device::wait(full, 0);
    params.g_out[thread] = s_values[thread - 32];
  }
}

inline void arrivals_that_nobody_counts(const Params& params) {
  auto& full = *reinterpret_cast<device::Mbarrier*>(device::shared_memory());
  const int thread = device::thread_index();
  if (thread == 0) device::init(full, threads);
  device::block_barrier();
  device::arrive(full);
  if (params.broken && thread == 0) device::arrive(full);
}

inline void missing_init(const Params& params) {
  auto& full = *reinterpret_cast<device::Mbarrier*>(device::shared_memory());
  if (!params.broken && device::thread_index() == 0) device::init(full, threads);
  device::block_barrier();
  device::arrive(full);
}

inline void missing_barrier_after_init(const Params& params) {
  auto& full = *reinterpret_cast<device::Mbarrier*>(device::shared_memory());
  if (device::thread_index() == 0) device::init(full, threads);
  if (!params.broken) device::block_barrier();
  device::arrive(full);
}

/// Copies that announce themselves: the reader waits for the mbarrier, or does not.
inline void missing_mbarrier_wait(const Params& params) {
  auto& full = *reinterpret_cast<device::Mbarrier*>(device::shared_memory());
  const int thread = device::thread_index();
  clear_shared();
  if (thread == 0) device::init(full, 32);
  device::block_barrier();
  if (thread < 32) {
    device::copy_async_16(device::shared_memory() + (1 + thread) * 16, params.g_in + thread * 4,
                          true);
    device::arrive_after_copies(full);
  } else {
    if (!params.broken) device::wait(full, 0);
    params.g_out[thread] = shared_floats()[(1 + thread - 32) * 4];
  }
}

inline void off_by_one_tile(const Params& params) {
  const int thread = device::thread_index();
  constexpr int tiles = input_floats / threads;
  float sum = 0.0F;
  for (int tile = 0; tile < tiles + (params.broken ? 1 : 0); ++tile)
    sum += params.g_in[tile * threads + thread];
  params.g_out[thread] = sum;
}

/// A tile of 64 columns goes through shared memory; read by ldmatrix as if it were swizzled.
inline void unswizzled_store(const Params& params) {
  using Swizzle = device::Swizzle<8>;
  const int thread = device::thread_index();
  const device::Vector<float, 4> chunk{{1.0F, 2.0F, 3.0F, 4.0F}};
  const int column = thread / 8;
  const int offset = params.broken ? thread % 8 * Swizzle::row_bytes + column * 16
                                   : Swizzle::offset(thread % 8, column);
  *reinterpret_cast<Floats4*>(device::shared_memory() + offset) = chunk;
  device::block_barrier();
  unsigned r_matrices[4];
  device::load_matrices(r_matrices, device::shared_address(device::shared_memory()) +
                                        static_cast<unsigned>(Swizzle::offset(
                                            device::lane_index() % 8, device::lane_index() / 8)));
  params.g_out[thread] = __builtin_bit_cast(float, r_matrices[0]);
}

inline void divergent_shuffle(const Params& params) {
  float value = 1.0F;
  if (!params.broken || device::lane_index() < 16) value = device::shuffle_xor(value, 1);
  device::block_barrier();
  params.g_out[device::thread_index()] = value;
}

inline void different_collectives(const Params& params) {
  float value = 1.0F;
  if (params.broken && device::lane_index() >= 16)
    value = device::warp_any(true) ? 1.0F : 0.0F;
  else
    value = device::shuffle_xor(value, 1);
  params.g_out[device::thread_index()] = value;
}

inline void lane_that_left(const Params& params) {
  if (params.broken && device::thread_index() == 37) return;
  params.g_out[device::thread_index()] = device::shuffle_xor(1.0F, 1);
}

inline void barrier_in_a_branch(const Params& params) {
  if (params.broken && device::lane_index() < 16)
    device::block_barrier();
  else
    device::block_barrier();
  params.g_out[device::thread_index()] = 1.0F;
}

inline void unwritten_row(const Params& params) {
  constexpr int row_floats = 8;
  const int thread = device::thread_index();
  const int rows = params.broken ? threads - 1 : threads;
  if (thread < rows)
    for (int i = 0; i < row_floats; ++i) shared_floats()[thread * row_floats + i] = 1.0F;
  device::block_barrier();
  params.g_out[thread] = shared_floats()[(threads - 1 - thread) * row_floats];
}

inline void past_shared_memory(const Params& params) {
  const int thread = device::thread_index();
  shared_floats()[thread + (params.broken ? shared_bytes / 4 - threads + 1 : 0)] = 1.0F;
}

inline void past_the_output(const Params& params) {
  params.g_out[device::thread_index() + (params.broken ? 1 : 0)] = 1.0F;
}

inline void write_to_an_input(const Params& params) {
  float* g_target = params.broken ? const_cast<float*>(params.g_in) : params.g_out;
  g_target[device::thread_index()] = 1.0F;
}

inline void misaligned_vector(const Params& params) {
  const int thread = device::thread_index();
  device::store_vector(Floats4{{1.0F, 1.0F, 1.0F, 1.0F}},
                       shared_floats() + thread * 4 + (params.broken && thread == 3 ? 1 : 0));
}

inline void misaligned_global_vector(const Params& params) {
  const int thread = device::thread_index();
  const auto values =
      device::load_vector<float, 4>(params.g_in + thread * 4 + (params.broken ? 2 : 0));
  params.g_out[thread] = values.values[0] + values.values[1] + values.values[2] + values.values[3];
}

inline void misaligned_copy(const Params& params) {
  device::copy_async_16(
      device::shared_memory() + device::thread_index() * 32 + (params.broken ? 8 : 0), params.g_in,
      true);
  device::copy_async_commit();
  device::copy_async_wait<0>();
}

/// The second warp goes home before the others meet.
inline void barrier_that_a_warp_misses(const Params& params) {
  if (params.broken && device::warp_index() == 1) return;
  device::block_barrier();
  params.g_out[device::thread_index()] = 1.0F;
}

inline void two_kinds_of_barrier(const Params& params) {
  if (params.broken && device::warp_index() == 1)
    device::block_any(false);
  else
    device::block_barrier();
}

inline void kernel(const Params params) {
  switch (params.which) {
    case Case::missing_barrier: return missing_barrier(params);
    case Case::missing_barrier_before_overwriting:
      return missing_barrier_before_overwriting(params);
    case Case::missing_warp_barrier: return missing_warp_barrier(params);
    case Case::shuffle_for_a_warp_barrier: return shuffle_for_a_warp_barrier(params);
    case Case::missing_barrier_in_global_memory: return missing_barrier_in_global_memory(params);
    case Case::missing_wait: return missing_wait(params);
    case Case::wait_for_too_few: return wait_for_too_few(params);
    case Case::missing_barrier_after_wait: return missing_barrier_after_wait(params);
    case Case::copy_over_what_is_read: return copy_over_what_is_read(params);
    case Case::extra_arrival: return through_mbarrier(params, 32, true);
    case Case::missing_arrival: return through_mbarrier(params, 32, !params.broken);
    case Case::count_too_small: return through_mbarrier(params, params.broken ? 31 : 32, true);
    case Case::arrivals_that_nobody_counts: return arrivals_that_nobody_counts(params);
    case Case::missing_init: return missing_init(params);
    case Case::missing_barrier_after_init: return missing_barrier_after_init(params);
    case Case::missing_mbarrier_wait: return missing_mbarrier_wait(params);
    case Case::off_by_one_tile: return off_by_one_tile(params);
    case Case::unswizzled_store: return unswizzled_store(params);
    case Case::divergent_shuffle: return divergent_shuffle(params);
    case Case::different_collectives: return different_collectives(params);
    case Case::lane_that_left: return lane_that_left(params);
    case Case::barrier_in_a_branch: return barrier_in_a_branch(params);
    case Case::unwritten_row: return unwritten_row(params);
    case Case::past_shared_memory: return past_shared_memory(params);
    case Case::past_the_output: return past_the_output(params);
    case Case::write_to_an_input: return write_to_an_input(params);
    case Case::misaligned_vector: return misaligned_vector(params);
    case Case::misaligned_global_vector: return misaligned_global_vector(params);
    case Case::misaligned_copy: return misaligned_copy(params);
    case Case::barrier_that_a_warp_misses: return barrier_that_a_warp_misses(params);
    case Case::two_kinds_of_barrier: return two_kinds_of_barrier(params);
  }
}

}  // namespace flashcore::broken
