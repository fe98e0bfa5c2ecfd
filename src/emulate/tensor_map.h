// Tensor maps on the emulator: the same description as the driver's, in a format of our own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "cuda/tensor_map.h"
#include "host/machine.h"

namespace flashcore::emulate {

/// A line of a box: what one run of a tensor's fastest dimension brings.
struct BoxLine {
  std::size_t offset = 0;  // in the box, before swizzling
  // Bytes [begin, end) of the line lie in the tensor, the first of them at g_first.
  std::size_t begin = 0;
  std::size_t end = 0;
  std::uintptr_t g_first = 0;
};

struct EncodedTensor {
  static constexpr std::uint64_t magic_number = 0x70616D20'65786F62U;

  std::uint64_t magic = magic_number;
  std::uintptr_t g_base = 0;
  cuda::TensorBox tensor;

  [[nodiscard]] std::size_t line_bytes() const { return tensor.box[0] * std::size_t{2}; }
  [[nodiscard]] std::size_t box_bytes() const;
  /// What shared memory the box lands in is a multiple of: the swizzle's pattern, at least 128.
  [[nodiscard]] std::size_t alignment() const;
  /// Where the copy engine puts the 16 bytes that lie at this offset of shared memory unswizzled.
  [[nodiscard]] std::size_t swizzled(std::size_t offset) const;
  /// The box's lines, in order.
  [[nodiscard]] std::vector<BoxLine> lines(const host::Coordinates& at) const;
};

/// A cuda::TensorMapEncoder. Throws what require_encodable throws.
void encode_for_emulator(const cuda::TensorBox& tensor, const void* base, device::TensorMap& map);

/// None where it is not one that encode_for_emulator wrote.
std::optional<EncodedTensor> decode(const void* map);

/// Between global memory and the box at `s_box` bytes from the beginning of shared memory. Bytes
/// outside the tensor are 0 in shared memory, and not stored.
void load_box(const EncodedTensor& tensor, const host::Coordinates& at, unsigned char* shared,
              std::size_t s_box);
void store_box(const EncodedTensor& tensor, const host::Coordinates& at,
               const unsigned char* shared, std::size_t s_box);

}  // namespace flashcore::emulate
