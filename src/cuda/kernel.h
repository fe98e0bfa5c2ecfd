// A kernel on a device and how it is launched.
#pragma once

#include <cstddef>

namespace flashcore::cuda {

/// A CUstream (cudaStream_t); null is the device's default stream.
using StreamHandle = void*;

/// Grid and block are one-dimensional: a grid's y and z are limited to 65535.
struct LaunchShape {
  unsigned grid = 1;     // blocks
  unsigned block = 1;    // threads per block
  unsigned cluster = 1;  // blocks per cluster
  unsigned shared_bytes = 0;

  bool operator==(const LaunchShape&) const = default;
};

/// A kernel loaded on one device. A plain value: the module that holds the code lives as long as
/// the process.
class Kernel {
 public:
  Kernel() = default;
  explicit Kernel(void* function) : function_(function) {}

  /// The kernel's argument is one struct, which is copied. Throws when the driver refuses.
  template <typename Params>
  void launch(const LaunchShape& shape, StreamHandle stream, const Params& params) const {
    launch_raw(shape, stream, &params);
  }

  /// The driver's handle (CUfunction).
  [[nodiscard]] void* function() const { return function_; }

 private:
  void launch_raw(const LaunchShape& shape, StreamHandle stream, const void* params) const;

  void* function_ = nullptr;  // CUfunction
};

}  // namespace flashcore::cuda
