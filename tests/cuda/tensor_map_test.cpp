// Tensor maps over a fake driver that remembers what it was asked: see fake/libcuda.cpp.
#include "cuda/tensor_map.h"

#include <dlfcn.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>

#include "core/error.h"
#include "cuda/kernel.h"
#include "fake/fake_driver.h"
#include "support/message_of.h"

namespace flashcore::cuda {
namespace {

using test::message_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const bool fake_is_the_driver = setenv("FLASHCORE_LIBCUDA", FLASHCORE_FAKE_LIBCUDA, 1) == 0;

/// [batch 2][heads 3][rows 100][head_dim 128] of bf16, by boxes of 64 rows and half a row.
TensorBox example() {
  return {.element = device::Element::bfloat16,
          .dims = {128, 100, 3, 2},
          .strides_bytes = {256, 25600, 76800},
          .box = {64, 64, 1, 1},
          .swizzle = Swizzle::bytes_128};
}

alignas(16) unsigned char tensor[16];

FakeDriver& fake() {
  void* library = dlopen(FLASHCORE_FAKE_LIBCUDA, RTLD_NOW);
  return *reinterpret_cast<FakeDriver* (*)()>(dlsym(library, "fake_driver"))();
}

TEST(TensorMap, TheDriverIsAskedForTheTensorItsBoxAndZerosOutside) {
  ASSERT_TRUE(fake_is_the_driver);
  const Kernel kernel(nullptr);
  const device::TensorMap map = kernel.tensor_map(example(), tensor);
  EXPECT_TRUE(std::ranges::all_of(map.bytes, [](unsigned char byte) { return byte == 0x5A; }));
  const EncodedMap& encoded = fake().encoded;
  EXPECT_EQ(encoded.data_type, 9);  // CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
  EXPECT_EQ(encoded.rank, 4U);
  EXPECT_EQ(encoded.base, tensor);
  EXPECT_THAT(encoded.dims, ElementsAre(128, 100, 3, 2));
  EXPECT_THAT(encoded.strides_bytes, ElementsAre(256, 25600, 76800));
  EXPECT_THAT(encoded.box, ElementsAre(64, 64, 1, 1));
  EXPECT_THAT(encoded.element_strides, ElementsAre(1, 1, 1, 1));
  EXPECT_EQ(encoded.interleave, 0);  // CU_TENSOR_MAP_INTERLEAVE_NONE
  EXPECT_EQ(encoded.swizzle, 3);     // CU_TENSOR_MAP_SWIZZLE_128B
  EXPECT_EQ(encoded.promotion, 2);   // CU_TENSOR_MAP_L2_PROMOTION_L2_128B
  EXPECT_EQ(encoded.fill, 0);        // CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE
}

TEST(TensorMap, FloatsOf16BitsAreTheDriversNumberSix) {
  device::TensorMap map;
  TensorBox half = example();
  half.element = device::Element::float16;
  half.swizzle = Swizzle::none;
  encode_for_gpu(half, tensor, map);
  EXPECT_EQ(fake().encoded.data_type, 6);
  EXPECT_EQ(fake().encoded.swizzle, 0);
}

TEST(TensorMap, ARefusalNamesTheCallAndTheDriversError) {
  device::TensorMap map;
  fake().failing_call = "cuTensorMapEncodeTiled";
  fake().failure = 1;
  EXPECT_THAT(message_of([&] { encode_for_gpu(example(), tensor, map); }),
              HasSubstr("cuTensorMapEncodeTiled"));
  fake() = FakeDriver{};
}

TEST(TensorMap, WhatNoCopyEngineTakesIsNamedBeforeTheDriverIsAsked) {
  fake() = FakeDriver{};
  const auto refusal = [](auto&& change, const void* base = tensor) {
    TensorBox box = example();
    change(box);
    device::TensorMap map;
    return message_of([&] { encode_for_gpu(box, base, map); });
  };
  const auto nothing = [](TensorBox&) {};
  EXPECT_THAT(refusal(nothing, tensor + 8), HasSubstr("is not a multiple of 16"));
  EXPECT_THAT(refusal([](TensorBox& box) { box.dims[2] = 0; }), HasSubstr("dimension 0"));
  EXPECT_THAT(refusal([](TensorBox& box) { box.strides_bytes[0] = 200; }), HasSubstr("stride 200"));
  EXPECT_THAT(refusal([](TensorBox& box) { box.box[1] = 257; }), HasSubstr("box edge 257"));
  EXPECT_THAT(refusal([](TensorBox& box) { box.box[0] = 72; }), HasSubstr("line of the box 144"));
  EXPECT_THAT(refusal([](TensorBox& box) { box.box[0] = 12; }), HasSubstr("line of the box 24"));
  EXPECT_TRUE(fake().calls.empty());
}

}  // namespace
}  // namespace flashcore::cuda
