#include "core/host_tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>

namespace flashcore::core {
namespace {

TEST(HostTensor, ElementsReadBackRoundedToTheDtype) {
  HostTensor tensor(Dtype::bfloat16, 3);
  tensor.set(1, 1.00390625F);
  EXPECT_EQ(tensor.at(1), 1.0F);
  EXPECT_EQ(tensor.at(0), 0.0F);
  EXPECT_EQ(tensor.bytes(), 6U);
}

TEST(HostTensor, IsAlignedToACacheLine) {
  for (const std::int64_t elements : {1, 7, 1000}) {
    const HostTensor tensor(Dtype::float16, elements);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % 64, 0U);
  }
}

TEST(FillNormal, IsStandardNormalAndTheSameEveryTime) {
  HostTensor tensor(Dtype::float32, 100001);
  HostTensor again(Dtype::float32, 100001);
  fill_normal(tensor, 5);
  fill_normal(again, 5);
  EXPECT_EQ(std::memcmp(tensor.data(), again.data(), tensor.bytes()), 0);
  double sum = 0, squares = 0, fourths = 0, lag = 0;
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    const auto value = static_cast<double>(tensor.at(i));
    sum += value;
    squares += value * value;
    fourths += value * value * value * value;
    if (i > 0) lag += value * static_cast<double>(tensor.at(i - 1));
  }
  const auto n = static_cast<double>(tensor.elements());
  EXPECT_NEAR(fourths / n, 3.0, 0.1);
  EXPECT_NEAR(sum / n, 0.0, 0.02);
  EXPECT_NEAR(squares / n, 1.0, 0.02);
  EXPECT_NEAR(lag / n, 0.0, 0.02);
}

TEST(SpanElements, ReachesTheLastElementOfTheLastRow) {
  EXPECT_EQ(span_elements(bhsd_strides(3, 5, 8), 2, 3, 5, 8), 2 * 3 * 5 * 8);
  EXPECT_EQ(span_elements({1000, 100, 10}, 2, 3, 5, 8), 1000 + 200 + 40 + 8);
  EXPECT_EQ(span_elements(bhsd_strides(3, 0, 8), 2, 3, 0, 8), 0);
}

TEST(HostCall, PoisonIsNaNInEveryDtype) {
  for (const Dtype dtype : all_dtypes) {
    HostCall call = HostCall::random(contiguous_problem(dtype, 1, 2, -1, 3, 4, 5), 1);
    for (std::int64_t i = 0; i < call.o.elements(); ++i) EXPECT_TRUE(std::isnan(call.o.at(i)));
    for (const float lse : call.lse) EXPECT_TRUE(std::isnan(lse));
  }
}

TEST(HostCall, TensorsOfOneCallDiffer) {
  const HostCall call = HostCall::random(contiguous_problem(Dtype::float32, 1, 1, -1, 4, -1, 4), 1);
  EXPECT_NE(call.q.at(0), call.k.at(0));
  EXPECT_NE(call.k.at(0), call.v.at(0));
}

}  // namespace
}  // namespace flashcore::core
