// Machine code loaded on a device.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "cuda/kernel.h"

namespace flashcore::cuda {

/// Loads a cubin on a device and finds the kernel in it. The module stays loaded as long as the
/// process. Throws device_failed, out_of_memory or no_device.
Kernel load_module(std::span<const std::uint8_t> cubin, const std::string& symbol,
                   int device_ordinal);

/// Lets launches ask for that much dynamic shared memory, beyond 48 KiB too.
void allow_shared_bytes(const Kernel& kernel, unsigned bytes, int device_ordinal);

}  // namespace flashcore::cuda
