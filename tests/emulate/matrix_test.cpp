// The matrix instructions against sums that are written out.
#include "emulate/matrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "core/half.h"
#include "device/tile/fragment.h"

namespace flashcore::emulate {
namespace {

using device::Element;

unsigned bits_of(Element element, float value) {
  return element == Element::float16 ? core::from_float<core::Float16>(value).bits
                                     : core::from_float<core::BFloat16>(value).bits;
}

/// A, B and C by rows; run() replaces C by A * B + C.
struct Product {
  float a[16][16] = {};
  float b[16][8] = {};
  float c[16][8] = {};

  void run(Element element) {
    std::array<MatrixOperands, 32> operands{};
    std::array<MatrixOperands*, 32> lanes{};
    for (int lane = 0; lane < 32; ++lane) {
      MatrixOperands& mine = operands[static_cast<std::size_t>(lane)];
      lanes[static_cast<std::size_t>(lane)] = &mine;
      for (int half = 0; half < 2; ++half) {
        for (int i = 0; i < 4; ++i) {
          const auto place = device::a_place(lane, i, half);
          mine.a.values[i] |= bits_of(element, a[place.row][place.column]) << 16 * half;
        }
        const auto low = device::b_place(lane, 0, half), high = device::b_place(lane, 1, half);
        mine.b_low |= bits_of(element, b[low.row][low.column]) << 16 * half;
        mine.b_high |= bits_of(element, b[high.row][high.column]) << 16 * half;
      }
      for (int i = 0; i < 4; ++i) {
        const auto place = device::sum_place(lane, i);
        mine.sums.values[i] = c[place.row][place.column];
      }
    }
    multiply_add(element, lanes);
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < 4; ++i) {
        const auto place = device::sum_place(lane, i);
        c[place.row][place.column] = operands[static_cast<std::size_t>(lane)].sums.values[i];
      }
  }
};

TEST(MultiplyAdd, IsExactWhereFp32HoldsEveryPartialSum) {
  std::mt19937 random(1);
  for (const Element element : {Element::float16, Element::bfloat16}) {
    Product product;
    const auto draw = [&] { return static_cast<float>(random() % 255) / 8 - 16; };
    for (auto& row : product.a)
      for (float& value : row) value = draw();
    for (auto& row : product.b)
      for (float& value : row) value = draw();
    for (auto& row : product.c)
      for (float& value : row) value = draw();
    Product expected = product;
    for (int row = 0; row < 16; ++row)
      for (int column = 0; column < 8; ++column)
        for (int k = 0; k < 16; ++k)
          expected.c[row][column] += product.a[row][k] * product.b[k][column];
    product.run(element);
    for (int row = 0; row < 16; ++row)
      for (int column = 0; column < 8; ++column)
        EXPECT_EQ(product.c[row][column], expected.c[row][column]) << row << ' ' << column;
  }
}

TEST(MultiplyAdd, CutsOffWhatFp32DoesNotHold) {
  Product product;
  for (int k = 0; k < 3; ++k) product.a[0][k] = product.b[k][0] = 1;
  product.c[0][0] = 0x1p24F;   // + 3 lies between + 2 and + 4
  product.c[0][1] = -0x1p24F;  // + 0
  product.a[1][0] = -1;
  product.c[1][0] = 0x1p24F;  // - 1 is representable
  product.run(Element::float16);
  EXPECT_EQ(product.c[0][0], 0x1p24F + 2);
  EXPECT_EQ(product.c[0][1], -0x1p24F);
  EXPECT_EQ(product.c[1][0], 0x1p24F - 1);
}

TEST(MultiplyAdd, KeepsTwoPlacesBelowTheLastUntilAllIsAdded) {
  Product product;
  for (int k = 0; k < 16; ++k) {
    product.a[0][k] = 1;
    product.b[k][0] = 0.5F;
    product.b[k][1] = 0.25F;
  }
  product.c[0][0] = product.c[0][1] = 0x1p24F;  // its last place is 2
  product.run(Element::bfloat16);
  EXPECT_EQ(product.c[0][0], 0x1p24F + 8);
  EXPECT_EQ(product.c[0][1], 0x1p24F);
}

TEST(MultiplyAdd, HoldsTheSmallestAndTheLargest) {
  Product product;
  product.a[0][0] = 0x1p-24F;  // subnormal
  product.b[0][0] = 0x1p-24F;
  product.a[1][0] = product.b[0][1] = 65504;
  product.c[2][0] = 0x1p-140F;
  product.run(Element::float16);
  EXPECT_EQ(product.c[0][0], 0x1p-48F);
  EXPECT_EQ(product.c[1][1], 65504.0F * 65504.0F);
  EXPECT_EQ(product.c[2][0], 0x1p-140F);
}

TEST(MultiplyAdd, NanAndInfinityReachTheirRowsAndColumns) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const Element element : {Element::float16, Element::bfloat16}) {
    Product product;
    for (auto& row : product.a)
      for (float& value : row) value = 1;
    for (auto& row : product.b)
      for (float& value : row) value = 1;
    product.a[3][5] = std::nanf("");
    product.b[7][2] = infinity;
    product.c[9][0] = -infinity;
    product.run(element);
    for (int row = 0; row < 16; ++row)
      for (int column = 0; column < 8; ++column) {
        const float value = product.c[row][column];
        if (row == 3)
          EXPECT_TRUE(std::isnan(value));
        else if (column == 2)
          EXPECT_EQ(value, infinity);
        else
          EXPECT_EQ(value, row == 9 && column == 0 ? -infinity : 16.0F);
      }
  }
}

TEST(LoadMatrices, GivesEachLaneItsElementsOfTheRowsThatLanesName) {
  unsigned short tiles[4][8][8];
  for (int matrix = 0; matrix < 4; ++matrix)
    for (int row = 0; row < 8; ++row)
      for (int column = 0; column < 8; ++column)
        tiles[matrix][row][column] = static_cast<unsigned short>(matrix * 100 + row * 10 + column);
  for (const bool transposed : {false, true}) {
    std::array<MatrixLoad, 32> loads{};
    std::array<MatrixLoad*, 32> lanes{};
    for (std::size_t lane = 0; lane < 32; ++lane) {
      loads[lane].s_row = reinterpret_cast<const unsigned char*>(tiles[lane / 8][lane % 8]);
      lanes[lane] = &loads[lane];
    }
    load_matrices(transposed, lanes);
    for (int lane = 0; lane < 32; ++lane)
      for (int matrix = 0; matrix < 4; ++matrix)
        for (int half = 0; half < 2; ++half) {
          const int major = lane / 4, minor = lane % 4 * 2 + half;
          const unsigned word = loads[static_cast<std::size_t>(lane)].words.values[matrix];
          EXPECT_EQ(word >> 16 * half & 0xFFFFU,
                    transposed ? tiles[matrix][minor][major] : tiles[matrix][major][minor]);
        }
  }
}

}  // namespace
}  // namespace flashcore::emulate
