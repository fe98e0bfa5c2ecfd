// The swizzle over every tile width in use: nothing overlaps, and what one instruction reads lies
// in different banks.
#include "device/tile/swizzle.h"

#include <gtest/gtest.h>

#include <set>

namespace flashcore::device {
namespace {

constexpr int rows = 64;

template <typename Width>
class SwizzleOf : public testing::Test {};

template <int Chunks>
struct Width {
  static constexpr int chunks = Chunks;
};
using Widths = testing::Types<Width<4>, Width<8>, Width<12>, Width<16>, Width<24>, Width<32>>;
TYPED_TEST_SUITE(SwizzleOf, Widths);

TYPED_TEST(SwizzleOf, GivesEveryChunkAPlaceOfItsOwnWithinItsRow) {
  using Tile = Swizzle<TypeParam::chunks>;
  std::set<int> places;
  for (int row = 0; row < rows; ++row)
    for (int chunk = 0; chunk < TypeParam::chunks; ++chunk) {
      const int offset = Tile::offset(row, chunk);
      EXPECT_EQ(offset % 16, 0);
      EXPECT_EQ(offset / Tile::row_bytes, row);
      places.insert(offset);
    }
  EXPECT_EQ(places.size(), static_cast<std::size_t>(rows * TypeParam::chunks));
}

TYPED_TEST(SwizzleOf, SpreadsEightRowsOfAColumnOverAllBanks) {
  using Tile = Swizzle<TypeParam::chunks>;
  for (int row = 0; row < rows; row += 8)
    for (int chunk = 0; chunk < TypeParam::chunks; ++chunk) {
      std::set<int> bank_groups;  // of four banks: 16 bytes
      for (int i = 0; i < 8; ++i) bank_groups.insert(Tile::offset(row + i, chunk) / 16 % 8);
      EXPECT_EQ(bank_groups.size(), 8U) << "rows from " << row << " of chunk " << chunk;
    }
}

TYPED_TEST(SwizzleOf, SpreadsEightNeighbouringChunksOfARowOverAllBanks) {
  using Tile = Swizzle<TypeParam::chunks>;
  for (int row = 0; row < rows; ++row)
    for (int chunk = 0; chunk + 8 <= TypeParam::chunks; chunk += 8) {
      std::set<int> bank_groups;
      for (int i = 0; i < 8; ++i) bank_groups.insert(Tile::offset(row, chunk + i) / 16 % 8);
      EXPECT_EQ(bank_groups.size(), 8U);
    }
}

TYPED_TEST(SwizzleOf, StepsDownAndAlongLandWhereOffsetSays) {
  using Tile = Swizzle<TypeParam::chunks>;
  const char* tile = nullptr;
  for (const int unit : {1, 2, 4, 8})
    for (int row = 0; row < unit; ++row)
      for (int down = 0; row + down < rows; down += unit)
        for (int chunk = 0; chunk < TypeParam::chunks; ++chunk)
          EXPECT_EQ(Tile::down(tile, Tile::offset(row, chunk), down) - tile,
                    Tile::offset(row + down, chunk))
              << "row " << row << " + " << down;
  for (int row = 0; row < rows; ++row)
    for (const int chunk : {0, 1})
      for (int pair = 0; chunk + 2 * pair < TypeParam::chunks; ++pair)
        EXPECT_EQ(Tile::along(Tile::offset(row, chunk), pair % Tile::period) +
                      pair / Tile::period * Tile::period * 32,
                  Tile::offset(row, chunk + 2 * pair));
}

}  // namespace
}  // namespace flashcore::device
