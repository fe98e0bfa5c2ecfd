// The fragment maps over their whole range: every element of a tile in one register, and what
// ldmatrix delivers where mma expects it.
#include "device/tile/fragment.h"

#include <gtest/gtest.h>

#include <set>

namespace flashcore::device {
namespace {

constexpr int lanes = 32;

bool operator==(TilePlace a, TilePlace b) {
  return a.row == b.row && a.column == b.column;
}

/// Expects every place of a rows x columns tile exactly once.
template <typename PlaceOf>
void expect_bijective(int registers, int rows, int columns, const PlaceOf& place_of) {
  std::set<int> seen;
  for (int lane = 0; lane < lanes; ++lane)
    for (int i = 0; i < registers; ++i) {
      const TilePlace place = place_of(lane, i);
      ASSERT_TRUE(place.row >= 0 && place.row < rows && place.column >= 0 &&
                  place.column < columns);
      seen.insert(place.row * columns + place.column);
    }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(lanes * registers));
  EXPECT_EQ(rows * columns, lanes * registers);
}

TEST(Fragment, EveryElementOfAIsInOneRegister) {
  expect_bijective(8, 16, 16, [](int lane, int i) { return a_place(lane, i / 2, i % 2); });
}

TEST(Fragment, EveryElementOfBIsInOneRegister) {
  expect_bijective(4, 16, 8, [](int lane, int i) { return b_place(lane, i / 2, i % 2); });
}

TEST(Fragment, EverySumIsInOneRegister) {
  expect_bijective(4, 16, 8, [](int lane, int i) { return sum_place(lane, i); });
}

/// What ldmatrix leaves in half `half` of register `index` of a lane, as a place in the stored
/// tile: matrix `index` has the rows that lanes 8 * index and following name.
TilePlace delivered(MatrixRow (*row_of)(int), int lane, int index, int half, bool transposed) {
  int row = lane / 4;
  int column = lane % 4 * 2 + half;
  if (transposed) std::swap(row, column);
  const MatrixRow named = row_of(index * 8 + row);
  return {named.row, named.chunk * 8 + column};
}

TEST(Fragment, RowsOfATileArriveAsA) {
  for (int lane = 0; lane < lanes; ++lane)
    for (int index = 0; index < 4; ++index)
      for (int half = 0; half < 2; ++half)
        EXPECT_TRUE(delivered(matrix_row, lane, index, half, false) == a_place(lane, index, half));
}

TEST(Fragment, RowsOfATileArriveTransposedAsTwoTilesOfBSideBySide) {
  for (int lane = 0; lane < lanes; ++lane)
    for (int index = 0; index < 4; ++index)
      for (int half = 0; half < 2; ++half) {
        TilePlace expected = b_place(lane, index % 2, half);
        expected.column += index / 2 * 8;
        EXPECT_TRUE(delivered(matrix_row, lane, index, half, true) == expected);
      }
}

TEST(Fragment, ColumnsStoredAsRowsArriveAsTwoTilesOfB) {
  for (int lane = 0; lane < lanes; ++lane)
    for (int index = 0; index < 4; ++index)
      for (int half = 0; half < 2; ++half) {
        TilePlace expected = b_place(lane, index % 2, half);
        expected.column += index / 2 * 8;
        const TilePlace stored = delivered(matrix_row_of_columns, lane, index, half, false);
        EXPECT_TRUE((TilePlace{stored.column, stored.row} == expected));
      }
}

TEST(Fragment, TwoTilesOfSumsSideBySideAreOneA) {
  for (int lane = 0; lane < lanes; ++lane)
    for (int index = 0; index < 4; ++index)
      for (int half = 0; half < 2; ++half) {
        TilePlace sum = sum_place(lane, index % 2 * 2 + half);
        sum.column += index / 2 * 8;
        EXPECT_TRUE(sum == a_place(lane, index, half));
      }
}

TEST(Fragment, ARowOfSumsLiesInNeighbouringLanes) {
  for (int lane = 0; lane < lanes; ++lane)
    for (int i = 0; i < 4; ++i)
      EXPECT_EQ(sum_place(lane, i).row, sum_place(lane / lanes_per_row * lanes_per_row, i).row);
}

}  // namespace
}  // namespace flashcore::device
