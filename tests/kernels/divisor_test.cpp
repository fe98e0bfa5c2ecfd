#include "device/tile/divisor.h"

#include <gtest/gtest.h>

#include <random>

#include "device/tile/ring.h"

namespace flashcore::device {
namespace {

constexpr unsigned largest = (1U << 31) - 1;

void expect_exact(unsigned number, unsigned divisor) {
  const auto result = make_divisor(divisor).divide(number);
  EXPECT_EQ(result.quotient, number / divisor) << number << " / " << divisor;
  EXPECT_EQ(result.remainder, number % divisor) << number << " / " << divisor;
}

TEST(Divisor, IsExactAtTheBordersOfEveryQuotient) {
  for (unsigned divisor = 1; divisor <= 2000; ++divisor)
    for (unsigned multiple = divisor; multiple < 40'000; multiple += divisor) {
      expect_exact(multiple - 1, divisor);
      expect_exact(multiple, divisor);
    }
}

TEST(Divisor, IsExactOverTheWholeRange) {
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const unsigned divisor = 1 + static_cast<unsigned>(random()) % (largest >> random() % 31);
    const unsigned number = static_cast<unsigned>(random()) & largest;
    expect_exact(number, divisor);
    expect_exact(number / divisor * divisor, divisor);
  }
  for (const unsigned divisor : {1U, 2U, 1U << 30, largest - 1, largest}) {
    expect_exact(0, divisor);
    expect_exact(largest, divisor);
  }
}

TEST(Ring, KnowsTheStagesBehindIt) {
  Ring<3> ring;
  for (int turn = 0; turn < 10; ++turn) {
    EXPECT_EQ(ring.stage, turn % 3);
    EXPECT_EQ(ring.parity, turn / 3 % 2);
    for (int back = 1; back <= 3; ++back) EXPECT_EQ(ring.before(back), (turn + 6 - back) % 3);
    ring.advance();
  }
}

}  // namespace
}  // namespace flashcore::device
