// A kernel that is launched by replaying graphs of that one launch: the driver returns, and is
// done, 1.5 to 2 µs sooner than with cuLaunchKernelEx (docs/performance.md).
#pragma once

#include <memory>

#include "cuda/kernel.h"

namespace flashcore::cuda {

class ReplayedKernel {
 public:
  /// Streams that get a graph of their own, the first to come. One graph for several would make
  /// each wait for the others' launches.
  static constexpr int most_streams = 4;

  /// Of a kernel on that device, which launch_on_gpu launches.
  ReplayedKernel(const Kernel& kernel, int device_ordinal);
  ~ReplayedKernel();
  ReplayedKernel(const ReplayedKernel&) = delete;
  ReplayedKernel& operator=(const ReplayedKernel&) = delete;

  /// Launches like the kernel that was given, from any thread, as long as this lives. A stream's
  /// first launch makes its graph. Launched as ever are calls that overlap the one before, calls on
  /// streams that are being captured, on the per-thread default stream (which is many streams) and
  /// on streams beyond the first, and all with drivers before CUDA 12.0.
  [[nodiscard]] Kernel kernel() const;

 private:
  class Replay;
  class Replays;
  int device_ordinal_;
  std::unique_ptr<Replays> replays_;
};

}  // namespace flashcore::cuda
