// The NVIDIA driver, loaded at run time. Nothing here needs a GPU to be linked or started.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/gpu_limits.h"

namespace flashcore::cuda {

/// Whether libcuda was loaded and initialised.
bool driver_available();

/// Why driver_available() is false, naming what was tried: "libcuda.so.1: cannot open …". Empty
/// when it is true.
std::string driver_unavailable_reason();

/// The driver's CUDA version, as 13000 for 13.0; 0 without a driver.
int driver_version();

/// 0 without a driver.
int device_count();

struct DeviceInfo {
  int ordinal = 0;
  std::string name;
  std::string uuid;
  core::GpuLimits limits;
  std::size_t memory_bytes = 0;
  std::size_t l2_bytes = 0;
  bool reaches_host_memory = false;  // kernels can use what malloc gave, as on Grace Hopper
  int clock_khz = 0;                 // the highest SM clock
  int memory_clock_khz = 0;
  int memory_bus_bits = 0;
};

/// Throws no_device when there is no such device. The reference lives as long as the process.
const DeviceInfo& device_info(int ordinal);

/// Makes a device's primary context current on this thread, and puts back what was current. Does
/// nothing when that context is current already.
class DeviceGuard {
 public:
  explicit DeviceGuard(int ordinal);
  ~DeviceGuard();
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  bool pushed_ = false;
};

}  // namespace flashcore::cuda
