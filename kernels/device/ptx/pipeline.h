// Asynchronous copies from global to shared memory through cuda::pipeline and cuda::memcpy_async
// (libcu++, "Asynchronous Operations Library").
#pragma once

#include <cuda/pipeline>

namespace flashcore::device {

/// One thread's copies, in batches. They run while the thread goes on.
class CopyPipeline {
 public:
  /// Adds 16 bytes to the batch; both addresses are multiples of 16.
  void copy(void* s_target, const void* g_source) {
    // Without this the compiler keeps, beside the copy, a path for other kinds of memory.
    __builtin_assume(__isShared(s_target));
    __builtin_assume(__isGlobal(g_source));
    cuda::memcpy_async(static_cast<uint4*>(s_target), static_cast<const uint4*>(g_source),
                       cuda::aligned_size_t<16>(16), pipeline_);
  }

  /// Ends the batch, which may be empty.
  void commit() { pipeline_.producer_commit(); }

  /// Returns when all but the last `Newer` batches have landed, for this thread to see.
  template <int Newer>
  void wait() {
    cuda::pipeline_consumer_wait_prior<Newer>(pipeline_);
  }

 private:
  cuda::pipeline<cuda::thread_scope_thread> pipeline_ = cuda::make_pipeline();
};

}  // namespace flashcore::device
