// Descriptions of tensors for the copy engine: made by whatever runs the kernel that reads them.
#pragma once

#include <array>
#include <cstdint>

#include "device/element.h"
#include "device/tensor_map.h"

namespace flashcore::cuda {

/// How a copy arranges a box's lines in shared memory: the 16-byte chunks of a line of so many
/// bytes are xored with bits of the line's number.
enum class Swizzle : std::uint8_t { none, bytes_32, bytes_64, bytes_128 };

/// A tensor of four dimensions, the fastest first, and the box of it that one copy moves.
struct TensorBox {
  device::Element element = device::Element::float16;
  std::array<std::uint64_t, 4> dims{};           // elements, each in [1, 2^32]
  std::array<std::uint64_t, 3> strides_bytes{};  // of dims 1 to 3: multiples of 16 below 2^40
  std::array<std::uint32_t, 4> box{};            // elements, each in [1, 256]
  /// The box's lines are as long as this, or any multiple of 16 bytes with none.
  Swizzle swizzle = Swizzle::bytes_128;
};

/// Bytes of a line that the pattern repeats after: 128, 64 or 32; 16 without.
int swizzle_bytes(Swizzle swizzle);

/// Throws invalid_argument, naming what a copy engine does not take: `base` is a multiple of 16.
void require_encodable(const TensorBox& tensor, const void* base);

/// How a map is made for a kernel: the driver's way, or the emulator's.
using TensorMapEncoder = void (*)(const TensorBox& tensor, const void* base,
                                  device::TensorMap& map);

/// cuTensorMapEncodeTiled: zeros outside the tensor. Throws unsupported where the driver is older
/// than CUDA 12.0, invalid_argument for what require_encodable refuses.
void encode_for_gpu(const TensorBox& tensor, const void* base, device::TensorMap& map);

}  // namespace flashcore::cuda
