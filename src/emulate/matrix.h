// The matrix instructions, for all lanes of a warp at once.
#pragma once

#include <array>
#include <cstdint>

#include "host/machine.h"

namespace flashcore::emulate {

/// What one lane brings to mma.m16n8k16; its sums are replaced by A * B + sums.
struct MatrixOperands {
  host::Sums sums;
  host::Words a;
  unsigned b_low;
  unsigned b_high;
};

/// Lane l's operands are *lanes[l]; the places are those of device/tile/fragment.h.
void multiply_add(device::Element element, const std::array<MatrixOperands*, 32>& lanes);

/// The same as a tile: A of 16 x 16 elements (their bits), B of 16 x 8, sums of 16 x 8.
struct MatrixTile {
  std::uint32_t a[16][16];
  std::uint32_t b[16][8];
  float sums[16][8];
};
void multiply_add(device::Element element, MatrixTile& tile);

/// Puts a lane's four registers of A where they belong.
void keep_a(int lane, const host::Words& words, MatrixTile& tile);

/// What one lane brings to ldmatrix.x4, and takes.
struct MatrixLoad {
  const unsigned char* s_row;  // 16 bytes
  host::Words words;
};
void load_matrices(bool transposed, const std::array<MatrixLoad*, 32>& lanes);

}  // namespace flashcore::emulate
