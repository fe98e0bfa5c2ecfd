// Device memory. A DeviceGuard for the device must be alive around every call here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "cuda/kernel.h"

namespace flashcore::cuda {

/// Device memory from a plain allocation; freed on destruction.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t bytes);
  ~Buffer();
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A call's addresses, which often lie in one allocation: the driver is asked about that once.
class KnownMemory {
 public:
  /// Whether the driver knows the address as memory that kernels can use: its own, another
  /// framework's, managed, or registered by the host. A kernel that is given any other address
  /// takes the whole context down.
  [[nodiscard]] bool holds(const void* address);

 private:
  std::uintptr_t start_ = 0;
  std::size_t bytes_ = 0;
};

/// Synchronous copies and fills between host and device.
void copy_to_device(void* device, const void* host, std::size_t bytes);
void copy_to_host(void* host, const void* device, std::size_t bytes);
void fill(void* device, unsigned char value, std::size_t bytes);

}  // namespace flashcore::cuda
