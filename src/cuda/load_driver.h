// Finding libcuda and its entry points.
#pragma once

#include <string>

#include "cuda/driver_api.h"

namespace flashcore::cuda {

struct LoadedDriver {
  api::Driver api{};
  std::string reason;  // why it cannot be used; empty when it can
  int version = 0;
  int device_count = 0;
};

/// Loads and initialises the driver: `path`, or libcuda.so.1 where the loader finds it when `path`
/// is empty. Never throws: what went wrong is the reason.
LoadedDriver load_driver(const std::string& path);

/// "CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected)"
std::string describe(const api::Driver& driver, api::Result result);

}  // namespace flashcore::cuda
