// The public API on a GPU: streams, graphs, nothing allocated, errors that leave the device usable.
#include <flashcore/flashcore.hpp>

#include <cstddef>
#include <optional>
#include <vector>

#include "core/host_tensor.h"
#include "cuda/memory.h"
#include "cuda/stream.h"
#include "gate/accuracy.h"
#include "gpu_test.h"
#include "support/allocations.h"

namespace flashcore {
namespace {

/// One [1, heads, seq, 64] fp16 call in device memory.
class DeviceCall {
 public:
  explicit DeviceCall(std::uint64_t seed)
      : host_(core::HostCall::random(
            core::contiguous_problem(core::Dtype::float16, 1, 4, 4, 100, 100, 64), seed)),
        q_(host_.q.bytes()),
        k_(host_.k.bytes()),
        v_(host_.v.bytes()),
        o_(host_.o.bytes()),
        lse_(host_.lse.size() * sizeof(float)) {
    cuda::copy_to_device(q_.data(), host_.q.data(), host_.q.bytes());
    cuda::copy_to_device(k_.data(), host_.k.data(), host_.k.bytes());
    cuda::copy_to_device(v_.data(), host_.v.data(), host_.v.bytes());
    poison();
  }

  void poison() { cuda::fill(o_.data(), 0xFF, o_.bytes()); }

  [[nodiscard]] Attention attention() const {
    const auto tensor = [](const cuda::Buffer& buffer) {
      return bhsd(buffer.data(), Dtype::float16, 1, 4, 100, 64);
    };
    Attention a{.q = tensor(q_), .k = tensor(k_), .v = tensor(v_), .o = tensor(o_)};
    a.lse.data = static_cast<float*>(lse_.data());
    return a;
  }

  [[nodiscard]] bool correct() {
    cuda::synchronize_device();
    cuda::copy_to_host(host_.o.data(), o_.data(), host_.o.bytes());
    cuda::copy_to_host(host_.lse.data(), lse_.data(), lse_.bytes());
    return gate::check_accuracy(host_, true, false).correct;
  }

 private:
  core::HostCall host_;
  cuda::Buffer q_, k_, v_, o_, lse_;
};

class GpuApi : public test::GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (!IsSkipped()) guard_.emplace(0);
  }
  std::optional<cuda::DeviceGuard> guard_;
};

Execution on(cuda::StreamHandle stream) {
  return {.device = Device::cuda, .stream = stream};
}

TEST_F(GpuApi, ACallOnAStreamIsCorrectAndSaysWhoServedIt) {
  const cuda::Stream stream;
  DeviceCall call(1);
  attention_forward(call.attention(), on(stream.handle()));
  EXPECT_TRUE(call.correct());
  const Choice choice = choose(call.attention(), on(stream.handle()));
  EXPECT_EQ(choice.backend, "cuda");
  EXPECT_NE(choice.config.find("head_dim=64"), std::string::npos) << choice.config;
}

TEST_F(GpuApi, TheDefaultStreamWorksToo) {
  DeviceCall call(2);
  attention_forward(call.attention(), on(nullptr));
  EXPECT_TRUE(call.correct());
}

/// Each call reads as Q what the one before it wrote.
std::vector<std::byte> end_of_a_chain(bool overlap) {
  const cuda::Stream stream;
  const DeviceCall call(8), other(9);
  Attention attention = call.attention();
  void* const from = attention.q.data;
  void* const to = other.attention().q.data;
  Execution execution = on(stream.handle());
  execution.overlap = overlap;
  for (int i = 0; i < 200; ++i) {
    attention.q.data = i % 2 == 0 ? from : to;
    attention.o.data = i % 2 == 0 ? to : from;
    attention_forward(attention, execution);
  }
  stream.synchronize();
  std::vector<std::byte> result(4 * 100 * 64 * 2);
  cuda::copy_to_host(result.data(), from, result.size());
  return result;
}

TEST_F(GpuApi, OverlappingCallsWaitForWhatTheyRead) {
  EXPECT_EQ(end_of_a_chain(true), end_of_a_chain(false));
}

TEST_F(GpuApi, WarmCallsAllocateNothing) {
  const cuda::Stream stream;
  DeviceCall call(3);
  const Attention attention = call.attention();
  attention_forward(attention, on(stream.handle()));
  stream.synchronize();
  const long before = test::allocation_count();
  for (int i = 0; i < 100; ++i) attention_forward(attention, on(stream.handle()));
  EXPECT_EQ(test::allocation_count() - before, 0);
  EXPECT_TRUE(call.correct());
}

TEST_F(GpuApi, AWarmCallCanBeCapturedAndReplayed) {
  const cuda::Stream stream;
  DeviceCall call(4);
  const Attention attention = call.attention();
  attention_forward(attention, on(stream.handle()));
  stream.synchronize();
  const cuda::Graph graph(
      [&](cuda::StreamHandle capturing) { attention_forward(attention, on(capturing)); });
  call.poison();
  graph.launch(stream.handle());
  stream.synchronize();
  EXPECT_TRUE(call.correct());
}

TEST_F(GpuApi, Fp32IsRefusedWithTheReasonAndTheDeviceGoesOn) {
  DeviceCall call(5);
  Attention fp32 = call.attention();
  for (Tensor* t : {&fp32.q, &fp32.k, &fp32.v, &fp32.o}) {
    t->dtype = FLASHCORE_FLOAT32;
    t->seq = 50;
  }
  const auto reason = why_unsupported(fp32, on(nullptr));
  ASSERT_TRUE(reason.has_value());
  EXPECT_NE(reason->find("fp32"), std::string::npos) << *reason;
  attention_forward(call.attention(), on(nullptr));
  EXPECT_TRUE(call.correct());
}

TEST_F(GpuApi, HostMemoryIsRefusedByNameAndTheDeviceGoesOn) {
  if (cuda::device_info(0).reaches_host_memory) GTEST_SKIP() << "this GPU reaches host memory";
  DeviceCall call(7);
  std::vector<std::uint16_t> host(4 * 100 * 64);
  Attention attention = call.attention();
  attention.v.data = host.data();
  try {
    attention_forward(attention, on(nullptr));
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), FLASHCORE_INVALID_ARGUMENT);
    EXPECT_EQ(std::string{error.what()}.substr(0, 2), "v:") << error.what();
  }
  attention_forward(call.attention(), on(nullptr));
  EXPECT_TRUE(call.correct());
}

TEST_F(GpuApi, ADeviceThatIsNotThereIsNamed) {
  DeviceCall call(6);
  const auto reason =
      why_unsupported(call.attention(), {.device = Device::cuda, .device_index = 99});
  ASSERT_TRUE(reason.has_value());
  EXPECT_NE(reason->find("99"), std::string::npos) << *reason;
}

}  // namespace
}  // namespace flashcore
