#include <gtest/gtest.h>

#include <set>

#include "forward_scalar/config.h"
#include "forward_scalar/layout.h"

namespace flashcore::forward_scalar {
namespace {

TEST(ForwardScalar, SlicesOfARowsLanesCoverHeadDimOnce) {
  for (const int head_dim : {32, 64, 128, 256})
    for (int lanes = 1; lanes <= 32 && head_dim % (lanes * vector) == 0; lanes *= 2) {
      const Config config{.head_dim = head_dim, .threads_per_row = lanes};
      std::set<int> columns;
      for (int lane = 0; lane < lanes; ++lane)
        for (int element = 0; element < slice(config); ++element)
          columns.insert(slice_element(config, lane, element));
      EXPECT_EQ(columns.size(), static_cast<std::size_t>(head_dim));
      EXPECT_EQ(*columns.begin(), 0);
      EXPECT_EQ(*columns.rbegin(), head_dim - 1);
    }
}

TEST(ForwardScalar, TilesOfKeysAndValuesDoNotOverlap) {
  const Config config{.head_dim = 128, .block_kv = 16};
  const Layout shared = layout(config);
  EXPECT_GE(shared.s_v, shared.s_k + 16 * 128 * 4);
  EXPECT_EQ(shared.total, shared.s_v + 16 * 128 * 4);
}

}  // namespace
}  // namespace flashcore::forward_scalar
