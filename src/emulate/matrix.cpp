#include "emulate/matrix.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "core/half.h"
#include "device/tile/fragment.h"

namespace flashcore::emulate {

namespace {

using device::TilePlace;

float element_value(device::Element element, unsigned word, int half) {
  const auto bits = static_cast<std::uint16_t>(word >> 16 * half);
  return element == device::Element::float16 ? core::to_float(core::Float16{bits})
                                             : core::to_float(core::BFloat16{bits});
}

struct Matrices {
  float a[16][16];
  float b[16][8];
  float sums[16][8];
};

void gather(device::Element element, const std::array<MatrixOperands*, 32>& lanes,
            Matrices& matrices) {
  for (int lane = 0; lane < 32; ++lane) {
    const MatrixOperands& mine = *lanes[static_cast<std::size_t>(lane)];
    for (int half = 0; half < 2; ++half) {
      for (int i = 0; i < 4; ++i) {
        const TilePlace place = device::a_place(lane, i, half);
        matrices.a[place.row][place.column] = element_value(element, mine.a.values[i], half);
      }
      for (int i = 0; i < 2; ++i) {
        const TilePlace place = device::b_place(lane, i, half);
        matrices.b[place.row][place.column] =
            element_value(element, i == 0 ? mine.b_low : mine.b_high, half);
      }
    }
    for (int i = 0; i < 4; ++i) {
      const TilePlace place = device::sum_place(lane, i);
      matrices.sums[place.row][place.column] = mine.sums.values[i];
    }
  }
}

}  // namespace

void multiply_add(device::Element element, const std::array<MatrixOperands*, 32>& lanes) {
  Matrices matrices;
  gather(element, lanes, matrices);
  for (int row = 0; row < 16; ++row) {
    double sums[8];
    for (int column = 0; column < 8; ++column) sums[column] = matrices.sums[row][column];
    for (int k = 0; k < 16; ++k)
      for (int column = 0; column < 8; ++column)
        sums[column] += static_cast<double>(matrices.a[row][k]) * matrices.b[k][column];
    for (int column = 0; column < 8; ++column)
      matrices.sums[row][column] = static_cast<float>(sums[column]);
  }
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 4; ++i) {
      const TilePlace place = device::sum_place(lane, i);
      lanes[static_cast<std::size_t>(lane)]->sums.values[i] =
          matrices.sums[place.row][place.column];
    }
}

void load_matrices(bool transposed, const std::array<MatrixLoad*, 32>& lanes) {
  for (int lane = 0; lane < 32; ++lane)
    for (int matrix = 0; matrix < 4; ++matrix) {
      unsigned word = 0;
      for (int half = 0; half < 2; ++half) {
        int row = lane / 4, column = lane % 4 * 2 + half;
        if (transposed) std::swap(row, column);
        std::uint16_t bits = 0;
        std::memcpy(&bits, lanes[static_cast<std::size_t>(matrix * 8 + row)]->s_row + column * 2,
                    sizeof(bits));
        word |= static_cast<unsigned>(bits) << 16 * half;
      }
      lanes[static_cast<std::size_t>(lane)]->words.values[matrix] = word;
    }
}

}  // namespace flashcore::emulate
