// A kernel on a device and how it is launched.
#pragma once

#include <cstddef>

#include "cuda/tensor_map.h"

namespace flashcore::cuda {

/// A CUstream (cudaStream_t); null is the device's default stream.
using StreamHandle = void*;

/// Grid and block are one-dimensional: a grid's y and z are limited to 65535.
struct LaunchShape {
  unsigned grid = 1;     // blocks
  unsigned block = 1;    // threads per block
  unsigned cluster = 1;  // blocks per cluster
  unsigned shared_bytes = 0;
  /// May begin before the kernel ahead of it in the stream has ended: it then calls
  /// wait_for_predecessor before it touches what that one writes, or reads (sm_90).
  bool overlap = false;

  bool operator==(const LaunchShape&) const = default;
};

/// What every GPU with clusters takes.
inline constexpr unsigned most_blocks_per_cluster = 8;

/// Throws invalid_argument where the clusters are too large, or do not make up the grid.
void require_clusters(const LaunchShape& shape);

/// How a kernel is launched, given its handle: the driver's way, by replaying graphs (replay.h), or
/// the emulator's, to which handle and stream mean other things. The kernel's argument has so many
/// bytes, or fewer.
using Launcher = void (*)(void* function, const LaunchShape& shape, StreamHandle stream,
                          const void* params, std::size_t params_bytes);

/// cuLaunchKernelEx. Throws what require_clusters throws, and when the driver refuses.
void launch_on_gpu(void* function, const LaunchShape& shape, StreamHandle stream,
                   const void* params, std::size_t params_bytes);

/// A kernel loaded on one device. A plain value: the module that holds the code lives as long as
/// the process.
class Kernel {
 public:
  Kernel() = default;
  /// Launcher and encoder are those of one backend.
  explicit Kernel(void* function, Launcher launcher = launch_on_gpu,
                  TensorMapEncoder encoder = encode_for_gpu)
      : function_(function), launcher_(launcher), encoder_(encoder) {}

  /// The kernel's argument is one struct, which is copied. Throws what the launcher throws.
  template <typename Params>
  void launch(const LaunchShape& shape, StreamHandle stream, const Params& params) const {
    launch(shape, stream, &params, sizeof params);
  }
  void launch(const LaunchShape& shape, StreamHandle stream, const void* params,
              std::size_t params_bytes) const {
    launcher_(function_, shape, stream, params, params_bytes);
  }

  /// A map of a call's tensor, to pass in this kernel's argument. A family asks the kernel because
  /// only what runs it knows what a map is: the driver's for the GPU, the emulator's own there.
  /// Throws what the encoder throws.
  [[nodiscard]] device::TensorMap tensor_map(const TensorBox& tensor, const void* base) const {
    device::TensorMap map;
    encoder_(tensor, base, map);
    return map;
  }

  /// The launcher's handle; the driver's is a CUfunction.
  [[nodiscard]] void* function() const { return function_; }

 private:
  void* function_ = nullptr;
  Launcher launcher_ = launch_on_gpu;
  TensorMapEncoder encoder_ = encode_for_gpu;
};

}  // namespace flashcore::cuda
