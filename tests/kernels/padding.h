// What the kernels' padded tiles are held to.
#pragma once

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace flashcore::test {

/// Whether `rows` rows that begin `stride` bytes apart begin in different groups of banks of
/// `bytes` bytes: then `bytes` of each are read at once without a conflict.
inline bool conflict_free(int stride, int rows, int bytes) {
  std::set<int> groups;
  for (int row = 0; row < rows; ++row) groups.insert(row * stride % 128 / bytes);
  return static_cast<int>(groups.size()) == rows;
}

struct Region {
  const char* name;
  int begin;
  int bytes;
};

/// Fails for regions that overlap, are not aligned, or reach past the total.
inline void expect_disjoint(const std::vector<Region>& regions, int alignment, int total) {
  for (const Region& region : regions) {
    EXPECT_EQ(region.begin % alignment, 0) << region.name;
    EXPECT_LE(region.begin + region.bytes, total) << region.name;
    for (const Region& other : regions)
      if (region.begin < other.begin) {
        EXPECT_LE(region.begin + region.bytes, other.begin) << region.name << ", " << other.name;
      }
  }
}

}  // namespace flashcore::test
