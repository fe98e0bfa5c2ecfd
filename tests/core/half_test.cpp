#include "core/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace flashcore::core {
namespace {

template <typename T>
class Half : public ::testing::Test {};
using Types = ::testing::Types<Float16, BFloat16>;
TYPED_TEST_SUITE(Half, Types);

constexpr float infinity = std::numeric_limits<float>::infinity();

/// The bits of +inf: every pattern below it is finite and they rise with their value.
template <typename T>
constexpr std::uint16_t infinity_bits = 0x7C00;
template <>
constexpr std::uint16_t infinity_bits<BFloat16> = 0x7F80;

TYPED_TEST(Half, EveryBitPatternSurvivesWideningAndNarrowing) {
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const TypeParam value{static_cast<std::uint16_t>(bits)};
    const float wide = to_float(value);
    if (std::isnan(wide))
      EXPECT_TRUE(std::isnan(to_float(from_float<TypeParam>(wide)))) << bits;
    else
      EXPECT_EQ(from_float<TypeParam>(wide).bits, bits);
  }
}

TYPED_TEST(Half, WideningRisesWithTheBitsUpToInfinity) {
  EXPECT_EQ(to_float(TypeParam{0}), 0.0F);
  for (std::uint16_t bits = 0; bits < infinity_bits<TypeParam>; ++bits) {
    const float low = to_float(TypeParam{bits});
    EXPECT_LT(low, to_float(TypeParam{static_cast<std::uint16_t>(bits + 1)}));
    EXPECT_EQ(to_float(TypeParam{static_cast<std::uint16_t>(bits | 0x8000)}), -low);
  }
  EXPECT_EQ(to_float(TypeParam{infinity_bits<TypeParam>}), infinity);
}

TYPED_TEST(Half, NarrowingRoundsToNearestAndTiesToEvenBetweenAllNeighbours) {
  for (std::uint16_t bits = 0; bits + 1 < infinity_bits<TypeParam>; ++bits) {
    const auto next = static_cast<std::uint16_t>(bits + 1);
    const double low = static_cast<double>(to_float(TypeParam{bits}));
    const double high = static_cast<double>(to_float(TypeParam{next}));
    const auto middle = static_cast<float>((low + high) / 2);  // exact in fp32
    const std::uint16_t even = bits % 2 == 0 ? bits : next;
    for (const float sign : {1.0F, -1.0F}) {
      const auto sign_bit = static_cast<std::uint16_t>(sign < 0 ? 0x8000 : 0);
      const auto narrowed = [&](float value) { return from_float<TypeParam>(sign * value).bits; };
      EXPECT_EQ(narrowed(middle), even | sign_bit) << bits;
      EXPECT_EQ(narrowed(std::nextafter(middle, 0.0F)), bits | sign_bit) << bits;
      EXPECT_EQ(narrowed(std::nextafter(middle, infinity)), next | sign_bit) << bits;
    }
  }
}

TYPED_TEST(Half, OverflowGivesInfinityAndNaNStaysNaN) {
  EXPECT_EQ(to_float(from_float<TypeParam>(infinity)), infinity);
  EXPECT_EQ(to_float(from_float<TypeParam>(-std::numeric_limits<float>::max())), -infinity);
  for (const std::uint32_t bits : {0x7F800001U, 0x7FFFFFFFU, 0xFF800001U, 0xFFFFFFFFU, 0x7FC00000U})
    EXPECT_TRUE(std::isnan(to_float(from_float<TypeParam>(std::bit_cast<float>(bits))))) << bits;
}

TEST(Float16, HasTheLandmarksOfIeee754) {
  EXPECT_EQ(to_float(Float16{0x3C00}), 1.0F);
  EXPECT_EQ(to_float(Float16{0x7BFF}), 65504.0F);
  EXPECT_EQ(to_float(Float16{0x0001}), 0x1p-24F);
  EXPECT_EQ(from_float<Float16>(65519.0F).bits, 0x7BFF);
  EXPECT_EQ(from_float<Float16>(65520.0F).bits, 0x7C00);
}

TEST(BFloat16, IsTheUpperHalfOfFp32) {
  EXPECT_EQ(to_float(BFloat16{0x3F80}), 1.0F);
  EXPECT_EQ(from_float<BFloat16>(1.00390625F).bits, 0x3F80);  // a tie, to even
  EXPECT_EQ(from_float<BFloat16>(1.01171875F).bits, 0x3F82);
}

TEST(VisitStorage, GivesEveryDtypeItsType) {
  for (const Dtype dtype : all_dtypes)
    EXPECT_EQ(visit_storage(dtype, []<typename T>(T) { return sizeof(T); }), size_of(dtype));
}

}  // namespace
}  // namespace flashcore::core
