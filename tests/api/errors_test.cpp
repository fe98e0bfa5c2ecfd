// Every error path of the API, with the message it gives.
#include <gtest/gtest.h>
#include <flashcore/flashcore.hpp>

#include <functional>
#include <limits>
#include <vector>

namespace flashcore {
namespace {

class ApiErrors : public ::testing::Test {
 protected:
  std::vector<float> memory_ = std::vector<float>(4 * 4096, 0.5F);
  Attention attention_{.q = tensor(0), .k = tensor(1), .v = tensor(2), .o = tensor(3)};

  Tensor tensor(int index) {
    return bhsd(memory_.data() + index * 4096, Dtype::float32, 1, 2, 8, 16);
  }

  /// The message of the call after `spoil` has changed it.
  std::string message(const std::function<void(Attention&)>& spoil, Execution execution = {}) {
    Attention spoiled = attention_;
    spoil(spoiled);
    std::vector<std::byte> workspace;
    try {
      attention_forward(spoiled, execution);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
};

TEST_F(ApiErrors, ShapesThatDisagreeNameBothTensorsAndBothValues) {
  EXPECT_EQ(message([](auto& a) { a.k.head_dim = 72; }),
            "k: head_dim 72 differs from q: head_dim 16");
  EXPECT_EQ(message([](auto& a) { a.v.batch = 3; }), "v: batch 3 differs from q: batch 1");
  EXPECT_EQ(message([](auto& a) { a.v.heads = 1; }), "v: heads 1 differs from k: heads 2");
  EXPECT_EQ(message([](auto& a) { a.v.seq = 7; }), "v: seq 7 differs from k: seq 8");
  EXPECT_EQ(message([](auto& a) { a.o.heads = 1; }), "o: heads 1 differs from q: heads 2");
  EXPECT_EQ(message([](auto& a) { a.o.seq = 4; }), "o: seq 4 differs from q: seq 8");
  EXPECT_EQ(message([](auto& a) { a.k.heads = a.v.heads = 3; }),
            "q: heads 2 is not a multiple of k: heads 3");
}

TEST_F(ApiErrors, SizesBelowOneAreRefused) {
  EXPECT_EQ(message([](auto& a) { a.q.batch = 0; }), "q: batch is 0, at least 1 is needed");
  EXPECT_EQ(message([](auto& a) { a.q.seq = 0; }), "q: seq is 0, at least 1 is needed");
  EXPECT_EQ(message([](auto& a) { a.q.head_dim = -4; }), "q: head_dim is -4, at least 1 is needed");
  EXPECT_EQ(message([](auto& a) { a.k.seq = a.v.seq = -1; }), "k: seq is -1, at least 0 is needed");
  EXPECT_EQ(message([](auto& a) { a.k.heads = 0; }), "k: heads is 0, at least 1 is needed");
}

TEST_F(ApiErrors, DtypesMustBeKnownAndEqual) {
  EXPECT_EQ(message([](auto& a) { a.v.dtype = FLASHCORE_FLOAT16; }),
            "v: dtype fp16 differs from q: dtype fp32");
  EXPECT_EQ(message([](auto& a) { a.q.dtype = 9; }), "q: dtype 9 is not a flashcore_dtype");
}

TEST_F(ApiErrors, MissingMisalignedAndSharedMemoryIsRefused) {
  EXPECT_EQ(message([](auto& a) { a.q.data = nullptr; }), "q: data is null");
  EXPECT_NE(message([](auto& a) {
              a.k.data = static_cast<char*>(a.k.data) + 1;
            }).find("is not aligned to its element's 4 bytes"),
            std::string::npos);
  EXPECT_NE(message([](auto& a) { a.o.data = a.v.data; }).find("is v's too"), std::string::npos);
}

TEST_F(ApiErrors, StridesThatOverlapOrOverflowAreRefused) {
  EXPECT_EQ(message([](auto& a) { a.o.stride_seq = 8; }),
            "o: stride_seq 8 is smaller than the 16 elements it must clear: rows overlap");
  EXPECT_EQ(message([](auto& a) { a.o.stride_head = 24; }),
            "o: stride_head 24 is smaller than the 128 elements it must clear: rows overlap");
  EXPECT_EQ(message([](auto& a) { a.q.stride_seq = -16; }),
            "q: stride_seq is -16, at least 0 is needed");
  EXPECT_EQ(message([](auto& a) { a.k.stride_seq = std::numeric_limits<int64_t>::max() / 2; }),
            "k: its shape and strides reach beyond a 64-bit address");
}

TEST_F(ApiErrors, MaskAndScaleMustMakeSense) {
  EXPECT_EQ(message([](auto& a) { a.mask.kind = static_cast<MaskKind>(7); }),
            "mask: kind 7 is not a flashcore_mask_kind");
  EXPECT_EQ(message([](auto& a) { a.mask.window_left = -2; }),
            "mask: window_left is -2, neither -1 (unlimited) nor a count");
  EXPECT_EQ(message([](auto& a) { a.scale = std::numeric_limits<float>::quiet_NaN(); }),
            "scale: nan is not finite");
}

TEST_F(ApiErrors, LseStridesAreCheckedWhereItIsWanted) {
  float lse[16];
  EXPECT_EQ(message([&](auto& a) {
              a.lse = {lse, 8, 4, 1};
            }),
            "lse: stride_head 4 is smaller than the 8 elements it must clear: rows overlap");
  EXPECT_EQ(message([&](auto& a) {
              a.lse = {lse, 8, -8, 1};
            }),
            "lse: strides 8, -8, 1 must not be negative");
}

TEST_F(ApiErrors, TheWorkspaceMustBeLargeEnoughAndAligned) {
  const auto needed = workspace_size(attention_);
  if (needed == 0) GTEST_SKIP() << "this backend needs no workspace";
  EXPECT_EQ(message([](auto&) {}),
            "workspace: 0 bytes given, " + std::to_string(needed) + " needed");
  std::vector<std::byte> workspace(needed + 128);
  auto* misaligned =
      workspace.data() + (65 - reinterpret_cast<std::uintptr_t>(workspace.data()) % 64);
  EXPECT_NE(message([](auto&) {}, {.workspace = {misaligned, needed}}).find("not aligned to 64"),
            std::string::npos);
}

TEST_F(ApiErrors, AMissingDeviceIsItsOwnStatus) {
  int32_t count = -1;
  ASSERT_EQ(flashcore_cuda_device_count(&count), FLASHCORE_OK);
  try {
    attention_forward(attention_, {.device = Device::cuda, .device_index = count});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), FLASHCORE_NO_DEVICE) << error.what();
    EXPECT_FALSE(std::string{error.what()}.empty());
  }
}

TEST(ApiBoundary, NullAndWrongSizesAreStatusesNotCrashes) {
  EXPECT_EQ(flashcore_attention_forward(nullptr, nullptr), FLASHCORE_INVALID_ARGUMENT);
  EXPECT_STREQ(flashcore_last_error(), "attention: is null");
  flashcore_attention attention{};
  EXPECT_EQ(flashcore_attention_forward(&attention, nullptr), FLASHCORE_INVALID_ARGUMENT);
  EXPECT_STREQ(flashcore_last_error(), "execution: is null");
  flashcore_execution execution{};
  EXPECT_EQ(flashcore_attention_forward(&attention, &execution), FLASHCORE_INVALID_ARGUMENT);
  EXPECT_EQ(std::string{flashcore_last_error()},
            "attention: struct_size is 0, this library's is " + std::to_string(sizeof attention));
  EXPECT_EQ(flashcore_workspace_size(&attention, &execution, nullptr), FLASHCORE_INVALID_ARGUMENT);
  EXPECT_EQ(flashcore_choose(&attention, &execution, nullptr), FLASHCORE_INVALID_ARGUMENT);
  EXPECT_EQ(flashcore_load_pack(nullptr), FLASHCORE_INVALID_ARGUMENT);
  EXPECT_EQ(flashcore_cuda_device_count(nullptr), FLASHCORE_INVALID_ARGUMENT);
  EXPECT_STREQ(flashcore_status_name(FLASHCORE_UNSUPPORTED), "unsupported");
}

}  // namespace
}  // namespace flashcore
