// How a matrix product names an operand in shared memory.
//
// PTX ISA 9.7.15, "Asynchronous warpgroup-level matrix shared memory layout" and "Matrix
// descriptor". Tiles are what tensor copies with the swizzle of 128 bytes leave: lines of 128 bytes
// (64 elements), whose eight 16-byte chunks are xored with the line's number, eight lines to a
// pattern of 1024 bytes. The hardware swizzles the bits of the address, so the beginning may
// advance within a pattern, and patterns begin at multiples of 1024.
#pragma once

#include "device/ptx/opaque.h"
#include "device/ptx/shared_address.h"

namespace flashcore::device {

struct MatrixDescriptor {
  // 0-13 address / 16; 16-29 leading offset / 16; 32-45 stride offset / 16; 49-51 where in its
  // pattern a tile begins, 0 here; 62-63 swizzle: 1 is 128 bytes.
  unsigned long long bits;

  /// Of what lies so many bytes further, a multiple of 16. Worked out where it is used: descriptors
  /// of a whole tile kept through a loop would take more registers than there are.
  [[nodiscard]] MatrixDescriptor at(int byte_offset) const {
    return {bits + opaque(static_cast<unsigned long long>(byte_offset / 16))};
  }
};

inline constexpr int pattern_bytes = 1024;

constexpr MatrixDescriptor swizzled_descriptor(SharedAddress s_tile, int leading_bytes,
                                               int stride_bytes) {
  return {(s_tile & 0x3FFFFULL) / 16 | static_cast<unsigned long long>(leading_bytes / 16) << 16 |
          static_cast<unsigned long long>(stride_bytes / 16) << 32 | 1ULL << 62};
}

/// A tile whose lines are rows of M or N with K fastest (Q and K of attention): the next eight rows
/// are the next pattern (stride); the leading offset has no meaning. The next 16 of K lie 32 bytes
/// further, four times; then comes another tile.
constexpr MatrixDescriptor k_major(SharedAddress s_tile) {
  return swizzled_descriptor(s_tile, 16, pattern_bytes);
}

/// A tile whose lines are rows of K with 64 of N fastest (V of attention): the next eight of K are
/// the next pattern (stride); the next 64 of N lie `column_tile_bytes` further (leading). The next
/// 16 of K lie 2048 bytes further.
constexpr MatrixDescriptor n_major(SharedAddress s_tile, int column_tile_bytes) {
  return swizzled_descriptor(s_tile, column_tile_bytes, pattern_bytes);
}

}  // namespace flashcore::device
