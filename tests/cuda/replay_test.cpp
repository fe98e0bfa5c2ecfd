// Kernels launched by replaying graphs, over the fake driver.
#include "cuda/replay.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime.h"

namespace flashcore::cuda {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

StreamHandle stream_of(std::uintptr_t number) {
  return reinterpret_cast<StreamHandle>(number);
}

/// After a first launch of 1 on stream 0x10.
class Replayed : public Runtime {
 protected:
  void SetUp() override {
    Runtime::SetUp();
    replayed_ = std::make_unique<ReplayedKernel>(Kernel(reinterpret_cast<void*>(0x300)), 0);
    launch(1, stream_of(0x10));
    first_calls_ = std::exchange(fake_->calls, {});
  }

  void launch(int argument, StreamHandle stream, bool overlap = false) {
    replayed_->kernel().launch({.grid = 5, .block = 64, .shared_bytes = 99, .overlap = overlap},
                               stream, argument);
  }

  std::unique_ptr<ReplayedKernel> replayed_;
  std::vector<std::string> first_calls_;
};

TEST_F(Replayed, AStreamsFirstLaunchMakesItsGraphAndLaunchesIt) {
  const auto count = [&](const char* call) {
    return std::count(first_calls_.begin(), first_calls_.end(), call);
  };
  EXPECT_EQ(count("cuGraphInstantiate"), 1);
  EXPECT_EQ(count("cuGraphLaunch"), 1);
  EXPECT_EQ(first_calls_.back(), "cuGraphLaunch");
  EXPECT_EQ(fake_->launch.stream, stream_of(0x10));
  EXPECT_EQ(fake_->launched_value, 1);
}

TEST_F(Replayed, MakesItsGraphsInAModeThatOthersCapturesAllowAndPutsTheThreadsBack) {
  EXPECT_EQ(first_calls_.front(), "cuThreadExchangeStreamCaptureMode");
  EXPECT_EQ(
      std::count(first_calls_.begin(), first_calls_.end(), "cuThreadExchangeStreamCaptureMode"), 2);
  EXPECT_EQ(fake_->thread_mode, api::capture_thread_local);
}

TEST_F(Replayed, TheSameArgumentAgainIsOneCall) {
  launch(1, stream_of(0x10));
  EXPECT_THAT(fake_->calls, ElementsAre("cuGraphLaunch"));
}

TEST_F(Replayed, AnotherArgumentIsPutIn) {
  launch(2, stream_of(0x10));
  EXPECT_THAT(fake_->calls, ElementsAre("cuGraphExecKernelNodeSetParams", "cuGraphLaunch"));
  EXPECT_EQ(fake_->launched_value, 2);
  EXPECT_EQ(fake_->node.function, reinterpret_cast<api::Function>(0x300));
  EXPECT_EQ(fake_->node.dims.grid_x, 5U);
  EXPECT_EQ(fake_->node.dims.block_x, 64U);
  EXPECT_EQ(fake_->node.dims.shared_bytes, 99U);
  launch(1, stream_of(0x10));
  EXPECT_EQ(fake_->launched_value, 1);
}

TEST_F(Replayed, AnotherShapeIsPutIn) {
  replayed_->kernel().launch({.grid = 6, .block = 64, .shared_bytes = 99}, stream_of(0x10), 1);
  EXPECT_THAT(fake_->calls, ElementsAre("cuGraphExecKernelNodeSetParams", "cuGraphLaunch"));
  EXPECT_EQ(fake_->node.dims.grid_x, 6U);
}

/// Launches of one graph wait for each other: streams must not share one.
TEST_F(Replayed, EachOfTheFirstStreamsHasAGraphWithAnArgumentOfItsOwn) {
  for (int stream = 1; stream < ReplayedKernel::most_streams; ++stream)
    launch(1 + stream, stream_of(0x10U + static_cast<unsigned>(stream)));
  EXPECT_EQ(std::count(fake_->calls.begin(), fake_->calls.end(), "cuGraphInstantiate"),
            ReplayedKernel::most_streams - 1);
  fake_->calls.clear();
  for (int stream = 0; stream < ReplayedKernel::most_streams; ++stream)
    launch(1 + stream, stream_of(0x10U + static_cast<unsigned>(stream)));
  EXPECT_THAT(fake_->calls, Each("cuGraphLaunch"));
  fake_->calls.clear();
  launch(1, stream_of(0x20));  // one too many
  EXPECT_THAT(fake_->calls, ElementsAre("cuLaunchKernelEx"));
  EXPECT_EQ(fake_->launch.stream, stream_of(0x20));
}

TEST_F(Replayed, TheDefaultStreamIsOneOfThem) {
  launch(1, nullptr);
  fake_->calls.clear();
  launch(1, nullptr);
  EXPECT_THAT(fake_->calls, ElementsAre("cuGraphLaunch"));
  EXPECT_EQ(fake_->launch.stream, nullptr);
}

TEST_F(Replayed, ThePerThreadStreamIsManyAndLaunchedAsEver) {
  launch(1, stream_of(2));
  EXPECT_THAT(fake_->calls, ElementsAre("cuLaunchKernelEx"));
}

TEST_F(Replayed, AStreamThatIsCapturedTakesTheKernelItself) {
  fake_->captured_stream = static_cast<api::Stream>(stream_of(0x10));
  launch(3, stream_of(0x10));
  EXPECT_THAT(fake_->calls, ElementsAre("cuLaunchKernelEx"));
  EXPECT_EQ(fake_->launched_value, 3);
}

TEST_F(Replayed, SoDoesALaunchThatOverlapsTheOneBefore) {
  launch(3, stream_of(0x10), true);
  EXPECT_THAT(fake_->calls, ElementsAre("cuLaunchKernelEx"));
  ASSERT_EQ(fake_->launch_attributes.size(), 1U);
  EXPECT_EQ(fake_->launch_attributes[0].id, api::programmatic_stream_serialization);
}

TEST_F(Replayed, AnArgumentThatWasNotTakenIsPutInAgain) {
  fail_with("cuGraphExecKernelNodeSetParams", 700);
  EXPECT_EQ(error_of([&] { launch(2, stream_of(0x10)); }).second,
            "cuGraphExecKernelNodeSetParams: CUDA_ERROR_FAKE (as the test wanted)");
  fail_with("", 0);
  for (const int argument : {1, 2}) {
    fake_->calls.clear();
    launch(argument, stream_of(0x10));
    EXPECT_THAT(fake_->calls, ElementsAre("cuGraphExecKernelNodeSetParams", "cuGraphLaunch"));
  }
}

TEST_F(Replayed, ALaunchThatFailsSaysSo) {
  fail_with("cuGraphLaunch", 700);
  EXPECT_EQ(error_of([&] { launch(1, stream_of(0x10)); }).second,
            "cuGraphLaunch: CUDA_ERROR_FAKE (as the test wanted)");
}

TEST_F(Replayed, GraphsThatCouldNotBeMadeAreMadeByTheNextLaunch) {
  ReplayedKernel other(Kernel(nullptr), 0);
  fail_with("cuGraphInstantiate", api::error_out_of_memory);
  EXPECT_EQ(error_of([&] { other.kernel().launch({}, nullptr, 1); }).first,
            core::Status::out_of_memory);
  EXPECT_EQ(fake_->thread_mode, api::capture_thread_local);
  fail_with("", 0);
  other.kernel().launch({}, nullptr, 1);
  EXPECT_EQ(fake_->calls.back(), "cuGraphLaunch");
}

TEST_F(Replayed, ItsGraphsEndWithIt) {
  launch(1, stream_of(0x11));
  fake_->calls.clear();
  replayed_.reset();
  EXPECT_THAT(fake_->calls, ElementsAre("cuCtxPushCurrent", "cuGraphExecDestroy", "cuGraphDestroy",
                                        "cuGraphExecDestroy", "cuGraphDestroy", "cuCtxPopCurrent"));
}

TEST_F(Replayed, InAContextThatIsBrokenTheyStay) {
  fake_->failing_call = "cuCtxPushCurrent";
  fake_->failure = 700;
  replayed_.reset();
  EXPECT_THAT(fake_->calls, ElementsAre("cuCtxPushCurrent"));
}

TEST_F(Replayed, AnotherShapesClustersAreLookedAt) {
  EXPECT_EQ(error_of([&] {
              replayed_->kernel().launch({.grid = 6, .cluster = 4}, stream_of(0x10), 1);
            }).first,
            core::Status::invalid_argument);
  launch(1, stream_of(0x10));
  EXPECT_THAT(fake_->calls, ElementsAre("cuGraphExecKernelNodeSetParams", "cuGraphLaunch"));
}

}  // namespace
}  // namespace flashcore::cuda
