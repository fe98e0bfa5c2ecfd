// Where a thread is, and the barrier of its block. Grids and blocks are one-dimensional.
#pragma once

namespace flashcore::device {

inline int thread_index() {
  return static_cast<int>(threadIdx.x);
}
inline long long block_index() {
  return blockIdx.x;
}

inline int lane_index() {
  return thread_index() % 32;
}
inline int warp_index() {
  return thread_index() / 32;
}

/// Every thread of the block arrives and waits; shared memory written before is visible after.
inline void block_barrier() {
  __syncthreads();
}

/// A block_barrier that tells every thread whether any of them answered yes.
inline bool block_any(bool answer) {
  return __syncthreads_or(answer) != 0;
}

/// The block's dynamic shared memory, aligned to 128 bytes.
inline unsigned char* shared_memory() {
  extern __shared__ __align__(128) unsigned char bytes[];
  return bytes;
}

/// The same, aligned to 1024 bytes, as swizzled tensor copies want it.
inline unsigned char* tensor_memory() {
  extern __shared__ __align__(1024) unsigned char tensor_bytes[];
  return tensor_bytes;
}

}  // namespace flashcore::device
