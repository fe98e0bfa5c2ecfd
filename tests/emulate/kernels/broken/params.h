// What the kernels of broken.cuh are asked; shared with the test.
#pragma once

namespace flashcore::broken {

enum class Case {
  missing_barrier,
  missing_barrier_before_overwriting,
  missing_warp_barrier,
  shuffle_for_a_warp_barrier,
  missing_barrier_in_global_memory,
  missing_wait,
  wait_for_too_few,
  missing_barrier_after_wait,
  copy_over_what_is_read,
  extra_arrival,
  missing_arrival,
  count_too_small,
  arrivals_that_nobody_counts,
  missing_init,
  missing_barrier_after_init,
  missing_mbarrier_wait,
  off_by_one_tile,
  unswizzled_store,
  divergent_shuffle,
  different_collectives,
  lane_that_left,
  barrier_in_a_branch,
  unwritten_row,
  past_shared_memory,
  past_the_output,
  write_to_an_input,
  misaligned_vector,
  misaligned_global_vector,
  misaligned_copy,
  barrier_that_a_warp_misses,
  two_kinds_of_barrier,
};

/// Of the one block that is launched.
inline constexpr int threads = 64;
inline constexpr int shared_bytes = 4096;
inline constexpr int input_floats = 4 * threads;

struct Params {
  Case which;
  bool broken;
  const float* g_in;  // [input_floats]
  float* g_out;       // [threads]
};

}  // namespace flashcore::broken
