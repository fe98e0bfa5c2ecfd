// An operand of an asynchronous matrix product in shared memory, as its descriptor names it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flashcore::emulate {

/// Lines of 16-byte chunks: along K for a K-major operand (a line for each row of M or N, two
/// chunks), along N for an N-major one (a line for each of 16 of K, N / 8 chunks). PTX ISA 9.7.15,
/// "Asynchronous warpgroup-level matrix shared memory layout".
struct SharedOperand {
  static constexpr std::size_t chunk_bytes = 16;

  std::size_t start;
  std::size_t leading_bytes;
  std::size_t stride_bytes;

  explicit SharedOperand(std::uint64_t descriptor)
      : start(field(descriptor, 0)),
        leading_bytes(field(descriptor, 16)),
        stride_bytes(field(descriptor, 32)) {}

  /// Whether it is of the one kind that is executed here: swizzled by 128 bytes, patterns at
  /// multiples of 1024.
  static bool known(std::uint64_t descriptor) {
    return descriptor >> 62 == 1 && (descriptor >> 49 & 7U) == 0;
  }

  /// The byte of shared memory where a chunk begins. The hardware swizzles the address's own bits.
  [[nodiscard]] std::size_t place(std::size_t line, std::size_t chunk) const {
    constexpr std::size_t line_bytes = 128, line_chunks = 8, pattern_lines = 8;
    const std::size_t address = start + chunk / line_chunks * leading_bytes +
                                line / pattern_lines * stride_bytes +
                                line % pattern_lines * line_bytes + chunk % line_chunks * 16;
    return address ^ (address / line_bytes % pattern_lines) * chunk_bytes;
  }

 private:
  static std::size_t field(std::uint64_t descriptor, int bit) {
    return (descriptor >> bit & 0x3FFFU) * 16;
  }
};

}  // namespace flashcore::emulate
