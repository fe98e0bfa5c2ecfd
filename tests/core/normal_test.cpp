#include "core/normal.h"

#include <gtest/gtest.h>

#include <cmath>

namespace flashcore::core {
namespace {

TEST(NormalQuantile, IsTheInverseOfTheDistributionFunction) {
  for (double p = 1e-10; p < 0.5; p *= 1.7) {
    EXPECT_NEAR(0.5 * std::erfc(-normal_quantile(p) / std::sqrt(2.0)) / p, 1.0, 1e-9);
    EXPECT_NEAR(normal_quantile(1 - p), -normal_quantile(p), 1e-5) << p;
  }
  EXPECT_NEAR(normal_quantile(0.5), 0.0, 1e-15);
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-12);
}

TEST(NormalTable, IsWithinAThousandthOfTheQuantiles) {
  const NormalTable& table = NormalTable::shared();
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 104729) {
    const double exact = normal_quantile((static_cast<double>(bits) + 0.5) * 0x1p-32);
    ASSERT_NEAR(static_cast<double>(table.at(static_cast<std::uint32_t>(bits))), exact, 1e-3)
        << bits;
  }
}

TEST(NormalTable, ReachesAsFarAsItsBitsAllow) {
  const NormalTable& table = NormalTable::shared();
  EXPECT_NEAR(table.at(0), -6.338F, 1e-3F);
  EXPECT_NEAR(table.at(~0U), 6.338F, 1e-3F);
  EXPECT_NEAR(table.at(1U << 31), 0.0F, 1e-6F);
}

}  // namespace
}  // namespace flashcore::core
