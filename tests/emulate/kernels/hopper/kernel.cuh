// Small kernels over the wrappers of Hopper's instructions: what they do, and one mistake each. One
// entry point, so that one module holds all.
#pragma once

#include "device/ptx/dependent_launch.h"
#include "device/ptx/elect.h"
#include "device/ptx/named_barrier.h"
#include "device/ptx/tensor_copy.h"
#include "device/ptx/vote.h"
#include "device/ptx/warpgroup.h"
#include "device/ptx/wgmma.h"
#include "device/tile/fragment.h"
#include "device/tile/warpgroup.h"
#include "hopper/params.h"

namespace flashcore::hopper {

inline device::Mbarrier& full_barrier() {
  return reinterpret_cast<device::Mbarrier*>(device::tensor_memory() + barriers_place)[0];
}
inline device::Mbarrier& empty_barrier() {
  return reinterpret_cast<device::Mbarrier*>(device::tensor_memory() + barriers_place)[1];
}

inline bool is_producer() {
  return device::warpgroup_index() == 1;
}

inline void make_barriers(bool fenced = true) {
  if (device::thread_index() == 0) {
    device::init(full_barrier(), 1);
    device::init(empty_barrier(), consumers / 32);
    if (fenced) device::fence_barrier_init();
  }
  device::block_barrier();
}

/// One box of A, with so many bytes more expected than it brings.
inline void load_a(const Params& params, int more = 0, int place = 0) {
  if (!is_producer() || !device::elect_one()) return;
  device::arrive_and_expect(full_barrier(), params.box_bytes + more);
  device::copy_tensor(params.a, device::tensor_memory() + place, full_barrier(), params.at[0],
                      params.at[1], params.at[2], params.at[3]);
}

inline const float* box_as_floats() {
  return reinterpret_cast<const float*>(device::tensor_memory());
}

inline void write_out_box(const Params& params) {
  for (int i = device::thread_index(); i < params.box_bytes / 4; i += consumers)
    params.g_out[i] = box_as_floats()[i];
}

inline void load_a_box(const Params& params) {
  device::prefetch(params.a);
  make_barriers();
  load_a(params);
  if (is_producer()) return;
  device::wait_suspended(full_barrier(), 0);
  write_out_box(params);
}

/// Plain writes to the block's first tile: word i is i.
inline void fill_tile(int bytes) {
  auto* s_words = reinterpret_cast<unsigned*>(device::tensor_memory());
  for (int i = device::thread_index(); i < bytes / 4; i += threads)
    s_words[i] = static_cast<unsigned>(i);
}

inline void store_a_box(const Params& params) {
  const bool fences = params.which != Task::store_without_async_fence || !params.broken;
  fill_tile(params.box_bytes);
  if (fences) device::fence_async_proxy();
  device::block_barrier();
  if (!is_producer() || !device::elect_one()) return;
  device::store_tensor(params.a, device::tensor_memory(), params.at[0], params.at[1], params.at[2],
                       params.at[3]);
  device::store_commit();
  if (params.which == Task::store_left_behind && params.broken) return;
  if (params.which == Task::store_overwritten && params.broken) *device::tensor_memory() = 1;
  device::store_wait_read<0>();
  if (params.which == Task::store_overwritten) *device::tensor_memory() = 1;
}

inline void load_operands(const Params& params) {
  if (!is_producer() || !device::elect_one()) return;
  unsigned char* s_tile = device::tensor_memory();
  const int b_boxes = params.transposed_b ? (params.columns + 63) / 64 : 1;
  const int b_bytes = params.transposed_b ? b_boxes * tile_bytes : params.columns * 128;
  device::arrive_and_expect(full_barrier(), tile_bytes + b_bytes);
  device::copy_tensor(params.a, s_tile, full_barrier(), 0, 0, 0, 0);
  for (int box = 0; box < b_boxes; ++box)
    device::copy_tensor(params.b, s_tile + b_place + box * tile_bytes, full_barrier(), box * 64, 0,
                        0, 0);
}

/// A's registers for 16 of its columns, from global memory.
inline void load_a_registers(const Params& params, int first_column, unsigned (&a)[4]) {
  const int lane = device::lane_index();
  for (int i = 0; i < 4; ++i) {
    a[i] = 0;
    for (int half = 0; half < 2; ++half) {
      const device::TilePlace place = device::a_place(lane, i, half);
      const int row = device::warp_index() * 16 + place.row;
      a[i] |= static_cast<unsigned>(params.g_a[row * 64 + first_column + place.column])
              << 16 * half;
    }
  }
}

template <typename T, int N, bool TransposedB>
inline void multiply_steps(const Params& params, float (&sums)[N / 2]) {
  const device::SharedAddress tile = device::shared_address(device::tensor_memory());
  const auto b =
      TransposedB ? device::n_major(tile + b_place, tile_bytes) : device::k_major(tile + b_place);
  for (int step = 0; step < 4; ++step) {
    const auto b_step = b.at(TransposedB ? step * 2048 : step * 32);
    if (params.a_in_registers) {
      unsigned a[4];
      load_a_registers(params, step * 16, a);
      device::multiply_registers<N, TransposedB>(T{}, sums, a, b_step, step > 0);
    } else {
      device::multiply_shared<N, TransposedB>(T{}, sums, device::k_major(tile).at(step * 32),
                                              b_step, step > 0);
    }
  }
}

template <typename T, int N>
inline void multiply_of(const Params& params) {
  float sums[N / 2];
  device::wgmma_fence();
  if (params.transposed_b)
    multiply_steps<T, N, true>(params, sums);
  else
    multiply_steps<T, N, false>(params, sums);
  device::wgmma_commit();
  device::wgmma_wait<0>();
  device::hold(sums);
  for (int tile = 0; tile < N / 8; ++tile)
    for (int i = 0; i < 4; ++i) {
      const device::TilePlace place = device::sum_place(device::lane_index(), i);
      const int row = device::warp_index() * 16 + place.row;
      params.g_out[row * N + tile * 8 + place.column] = sums[tile * 4 + i];
    }
}

template <typename T>
inline void multiply_columns(const Params& params) {
  switch (params.columns) {
    case 32: return multiply_of<T, 32>(params);
    case 64: return multiply_of<T, 64>(params);
    case 96: return multiply_of<T, 96>(params);
    case 128: return multiply_of<T, 128>(params);
    case 192: return multiply_of<T, 192>(params);
    case 256: return multiply_of<T, 256>(params);
  }
}

inline void multiply(const Params& params) {
  device::wait_for_predecessor();
  make_barriers();
  load_operands(params);
  if (is_producer()) return device::set_registers_down<24>();
  device::set_registers_up<240>();
  device::wait_suspended(full_barrier(), 0);
  if (params.bfloat16)
    multiply_columns<device::BFloat16>(params);
  else
    multiply_columns<device::Float16>(params);
  device::allow_successor();
}

inline void ask_and_wait(bool only_ask) {
  if (!device::completed(full_barrier(), 0) && !only_ask) device::wait_suspended(full_barrier(), 0);
}

inline void one_load(const Params& params, int more, int place) {
  make_barriers(params.which != Task::missing_init_fence || !params.broken);
  load_a(params, more, place);
  if (is_producer()) return;
  if (params.which == Task::mbarrier_test_without_effect)
    ask_and_wait(params.broken);
  else if (params.which != Task::missing_mbarrier_wait || !params.broken)
    device::wait_suspended(full_barrier(), 0);
  if (place == 0) write_out_box(params);
}

inline void no_tensor_map(const Params& params) {
  static const device::TensorMap nothing = {};
  make_barriers();
  if (device::thread_index() != 0) return;
  device::prefetch(params.broken ? nothing : params.a);
}

/// The second load waits until the consumers have read the first, or only until that has landed.
inline void overwritten_before_it_was_read(const Params& params) {
  make_barriers();
  for (int turn = 0; turn < 2; ++turn) {
    if (is_producer()) {
      if (turn == 1) device::wait_suspended(params.broken ? full_barrier() : empty_barrier(), 0);
      load_a(params);
      continue;
    }
    device::wait_suspended(full_barrier(), turn);
    write_out_box(params);
    device::warp_barrier();
    if (device::lane_index() == 0) device::arrive(empty_barrier());
  }
}

inline void one_product(float (&sums)[32]) {
  const device::SharedAddress tile = device::shared_address(device::tensor_memory());
  device::multiply_shared<64>(device::Float16{}, sums, device::k_major(tile), device::k_major(tile),
                              false);
}

/// A times itself while the producer waits to overwrite it.
inline void freed_before_the_products_end(const Params& params) {
  make_barriers();
  load_a(params);
  if (is_producer()) {
    device::wait_suspended(empty_barrier(), 0);
    return load_a(params);
  }
  device::wait_suspended(full_barrier(), 0);
  float sums[32];
  device::wgmma_fence();
  one_product(sums);
  device::wgmma_commit();
  if (!params.broken) device::wgmma_wait<0>();
  if (device::elect_one()) device::arrive(empty_barrier());
  if (params.broken) device::wgmma_wait<0>();
  params.g_out[device::thread_index()] = sums[0];
}

inline void one_product_of(const Params& params) {
  const auto is = [&](Task which) { return params.broken && params.which == which; };
  make_barriers();
  load_a(params);
  if (is_producer()) return;
  device::wait_suspended(full_barrier(), 0);
  float sums[32];
  if (!is(Task::missing_wgmma_fence)) device::wgmma_fence();
  if (!is(Task::product_that_a_warp_leaves_out) || device::warp_index() != 2) one_product(sums);
  device::wgmma_commit();
  if (is(Task::products_left_behind)) return;
  if (is(Task::sums_read_before_the_wait)) params.g_out[device::thread_index()] = sums[3];
  device::wgmma_wait<0>();
  params.g_out[device::thread_index()] = sums[3];
}

/// The operand is written by the threads, not by a copy.
inline void missing_async_fence(const Params& params) {
  fill_tile(tile_bytes);
  if (!params.broken) device::fence_async_proxy();
  device::block_barrier();
  if (is_producer()) return;
  float sums[32];
  device::wgmma_fence();
  one_product(sums);
  device::wgmma_commit();
  device::wgmma_wait<0>();
  params.g_out[device::thread_index()] = sums[0];
}

/// The consumers hand each other a value; the producer only arrives.
inline void through_named_barrier(const Params& params) {
  auto* s_values = reinterpret_cast<float*>(device::tensor_memory());
  const int thread = device::thread_index();
  const auto is = [&](Task which) { return params.broken && params.which == which; };
  fill_tile(consumers * 4);
  device::block_barrier();
  if (is_producer()) {
    if (!is(Task::named_barrier_that_a_warp_misses)) device::named_barrier_arrive(3, threads);
    return;
  }
  s_values[thread] = 1.0F;
  if (is(Task::missing_named_barrier))
    device::named_barrier_arrive(3, threads);
  else
    device::named_barrier(3, is(Task::named_barrier_of_other_threads) ? consumers : threads);
  params.g_out[thread] = s_values[thread ^ 32];
}

inline void kernel(const Params params) {
  const bool broken = params.broken;
  switch (params.which) {
    case Task::load_a_box: return load_a_box(params);
    case Task::multiply: return multiply(params);
    case Task::expects_too_few_bytes: return one_load(params, broken ? -64 : 0, 0);
    case Task::expects_too_many_bytes: return one_load(params, broken ? 64 : 0, 0);
    case Task::misaligned_tile: return one_load(params, 0, broken ? 512 : 1024);
    case Task::missing_init_fence:
    case Task::missing_mbarrier_wait:
    case Task::mbarrier_test_without_effect: return one_load(params, 0, 0);
    case Task::no_tensor_map: return no_tensor_map(params);
    case Task::overwritten_before_it_was_read: return overwritten_before_it_was_read(params);
    case Task::freed_before_the_products_end: return freed_before_the_products_end(params);
    case Task::sums_read_before_the_wait:
    case Task::missing_wgmma_fence:
    case Task::product_that_a_warp_leaves_out:
    case Task::products_left_behind: return one_product_of(params);
    case Task::missing_async_fence: return missing_async_fence(params);
    case Task::store_a_box:
    case Task::store_overwritten:
    case Task::store_left_behind:
    case Task::store_without_async_fence: return store_a_box(params);
    case Task::missing_named_barrier:
    case Task::named_barrier_that_a_warp_misses:
    case Task::named_barrier_of_other_threads: return through_named_barrier(params);
  }
}

}  // namespace flashcore::hopper
