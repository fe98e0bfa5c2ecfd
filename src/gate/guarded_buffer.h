// Memory that notices what is written beside it.
#pragma once

#include <cstddef>
#include <optional>

#include "core/host_tensor.h"
#include "cuda/memory.h"
#include "dispatch/dispatch.h"

namespace flashcore::gate {

/// A payload between two guard zones, on the host or on the current device.
class GuardedBuffer {
 public:
  /// NaN in every dtype: a write is seen, and a read that reaches the output is seen too.
  static constexpr auto guard_value = std::byte{0xFF};

  /// The emulator computes in the host's memory.
  GuardedBuffer(dispatch::Backend backend, std::size_t bytes);

  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// What the call is given.
  [[nodiscard]] void* data();

  /// Makes the guard zones whole, and the payload what `from` has.
  void fill(const void* from);
  /// Everything, the guard zones too.
  void poison(std::byte value);
  void copy_payload(void* to);

  /// Takes the contents back to the host and counts the guard bytes that changed.
  std::size_t retrieve();
  /// The same without the payload, which may be far more than the tensors.
  std::size_t retrieve_guards();
  /// The payload, as retrieved.
  [[nodiscard]] const std::byte* payload() const;

 private:
  void allocate_image();
  std::byte* base();
  void fill_bytes(std::byte* to, std::byte value, std::size_t bytes) const;

  std::size_t bytes_;
  core::HostTensor image_;  // everything on the host, and what came back from a device
  std::optional<cuda::Buffer> device_;
};

}  // namespace flashcore::gate
