// What the kernels of hopper/kernel.cuh are asked; shared with the test.
#pragma once

#include "device/tensor_map.h"

namespace flashcore::hopper {

enum class Task {
  // What the wrappers do.
  load_a_box,
  store_a_box,
  multiply,
  // What they must not be used for: each with one mistake, and without.
  expects_too_few_bytes,
  expects_too_many_bytes,
  missing_init_fence,
  misaligned_tile,
  no_tensor_map,
  missing_mbarrier_wait,
  mbarrier_test_without_effect,
  overwritten_before_it_was_read,
  freed_before_the_products_end,
  sums_read_before_the_wait,
  missing_wgmma_fence,
  missing_async_fence,
  product_that_a_warp_leaves_out,
  products_left_behind,
  store_overwritten,
  store_left_behind,
  store_without_async_fence,
  missing_named_barrier,
  named_barrier_that_a_warp_misses,
  named_barrier_of_other_threads,
};

inline constexpr int consumers = 128;  // a warpgroup, and a producer warp after it
inline constexpr int threads = consumers + 32;
inline constexpr int tile_bytes = 64 * 128;  // 64 lines of 64 elements
inline constexpr int b_place = tile_bytes;   // of the right operand's tiles, up to four
inline constexpr int barriers_place = 5 * tile_bytes;
inline constexpr int shared_bytes = barriers_place + 64;

struct Params {
  Task which;
  bool broken;
  // multiply: A [64][64] and B ([64][columns] where transposed_b, else [columns][64]).
  int columns;
  bool bfloat16;
  bool transposed_b;
  bool a_in_registers;
  // load_a_box and store_a_box: which box, and its bytes.
  int at[4];
  int box_bytes;
  device::TensorMap a;
  device::TensorMap b;
  const unsigned short* g_a;
  float* g_out;  // [64][columns], or the box as it lies in shared memory
};

}  // namespace flashcore::hopper
