// The runtime over a fake driver that remembers what it was asked: see fake/libcuda.cpp.
#include <gmock/gmock.h>

#include <numeric>
#include <stdexcept>

#include "core/error.h"
#include "cuda/driver.h"
#include "cuda/load_driver.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/stream.h"
#include "runtime.h"

namespace flashcore::cuda {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(LoadDriver, NamesAFileThatIsNotThereOrIsNoDriver) {
  EXPECT_THAT(load_driver("/no/such/libcuda.so").reason, HasSubstr("/no/such/libcuda.so"));
  EXPECT_THAT(load_driver("libm.so.6").reason, HasSubstr("libm.so.6 has no cuInit"));
}

TEST_F(Runtime, KnowsDeviceMemoryFromAddressesTheDriverNeverSaw) {
  const DeviceGuard guard(0);
  const Buffer buffer(64);
  KnownMemory known;
  EXPECT_FALSE(known.holds(nullptr));
  EXPECT_TRUE(known.holds(buffer.data()));
}

TEST_F(Runtime, AsksOnceAboutAddressesOfOneAllocation) {
  const DeviceGuard guard(0);
  const Buffer buffer(64), other(64);
  auto* bytes = static_cast<unsigned char*>(buffer.data());
  fake_->calls.clear();
  KnownMemory known;
  EXPECT_TRUE(known.holds(bytes + 16));
  EXPECT_TRUE(known.holds(bytes));
  EXPECT_TRUE(known.holds(bytes + 63));
  EXPECT_THAT(fake_->calls, ElementsAre("cuPointerGetAttributes"));
  EXPECT_TRUE(known.holds(other.data()));
  EXPECT_THAT(fake_->calls, ElementsAre("cuPointerGetAttributes", "cuPointerGetAttributes"));
  EXPECT_FALSE(known.holds(nullptr));
}

TEST_F(Runtime, SaysWhyADriverThatIsThereCannotBeUsed) {
  fail_with("cuInit", api::error_no_device);
  const LoadedDriver loaded = load_driver(FLASHCORE_FAKE_LIBCUDA);
  EXPECT_THAT(loaded.reason, HasSubstr("cuInit: CUDA_ERROR_FAKE (as the test wanted)"));
  EXPECT_EQ(loaded.device_count, 0);
}

TEST_F(Runtime, DescribesADevice) {
  const DeviceInfo& info = device_info(1);
  EXPECT_EQ(info.name, "Fake GPU");
  EXPECT_EQ(info.uuid, "GPU-a1a1a1a1-a1a1-a1a1-a1a1-a1a1a1a1a1a1");
  EXPECT_EQ(info.limits.arch.to_string(), "sm_90a");
  EXPECT_EQ(info.limits.multiprocessors, 132);
  EXPECT_EQ(info.limits.shared_bytes_per_block, 227 * 1024);
  EXPECT_EQ(info.memory_bytes, std::size_t{80} << 30);
  EXPECT_EQ(&info, &device_info(1));
}

TEST_F(Runtime, RefusesADeviceThatIsNotThere) {
  for (const int ordinal : {-1, 2}) {
    const auto [status, message] = error_of([&] { device_info(ordinal); });
    EXPECT_EQ(status, core::Status::no_device);
    EXPECT_EQ(message, fmt::format("device: GPU {} was asked for, and there are 2 here", ordinal));
  }
}

TEST_F(Runtime, AGuardMakesTheContextCurrentAndPutsBackWhatWas) {
  const auto other = reinterpret_cast<api::Context>(0x999);
  fake_->contexts = {other};
  {
    const DeviceGuard guard(0);
    EXPECT_THAT(fake_->calls, ElementsAre("cuCtxPushCurrent"));
    const DeviceGuard nested(0);  // current already
    EXPECT_EQ(fake_->contexts.size(), 2U);
    const DeviceGuard elsewhere(1);
    EXPECT_EQ(fake_->contexts.size(), 3U);
  }
  EXPECT_THAT(fake_->contexts, ElementsAre(other));
}

TEST_F(Runtime, RetainsAPrimaryContextOnce) {
  for (int i = 0; i < 3; ++i) const DeviceGuard guard(0);
  EXPECT_THAT(fake_->calls, ::testing::Not(::testing::Contains("cuDevicePrimaryCtxRetain")));
}

TEST_F(Runtime, LaunchesWithOneCallAndPassesTheShapeAndTheParams) {
  const Kernel kernel(reinterpret_cast<void*>(0x300));
  const auto stream = reinterpret_cast<StreamHandle>(0x77);
  kernel.launch({.grid = 70000, .block = 128, .cluster = 1, .shared_bytes = 1234}, stream, 42);
  EXPECT_THAT(fake_->calls, ElementsAre("cuLaunchKernelEx"));
  EXPECT_EQ(fake_->launch.dims.grid_x, 70000U);
  EXPECT_EQ(fake_->launch.dims.grid_y * fake_->launch.dims.grid_z, 1U);
  EXPECT_EQ(fake_->launch.dims.block_x, 128U);
  EXPECT_EQ(fake_->launch.dims.shared_bytes, 1234U);
  EXPECT_EQ(fake_->launch.stream, stream);
  EXPECT_EQ(fake_->launch.attribute_count, 0U);
  EXPECT_EQ(fake_->launched_value, 42);
}

TEST_F(Runtime, HowLargeClustersAreTheProgramSays) {
  Kernel(nullptr).launch({.grid = 8, .block = 1, .cluster = 4}, nullptr, 0);
  EXPECT_EQ(fake_->launch_attributes.size(), 0U);
}

TEST_F(Runtime, OverlapWithTheKernelBeforeIsALaunchAttribute) {
  Kernel(nullptr).launch({.overlap = true}, nullptr, 0);
  ASSERT_EQ(fake_->launch_attributes.size(), 1U);
  EXPECT_EQ(fake_->launch_attributes[0].id, api::programmatic_stream_serialization);
  EXPECT_EQ(fake_->launch_attributes[0].value[0], 1U);
}

TEST_F(Runtime, RefusesClustersThatAreTooLargeOrDoNotMakeUpTheGrid) {
  for (const auto& [grid, cluster] : {std::pair{16U, 16U}, {6U, 4U}, {6U, 0U}}) {
    const auto [status, message] = error_of([grid = grid, cluster = cluster] {
      Kernel(nullptr).launch({.grid = grid, .cluster = cluster}, nullptr, 0);
    });
    EXPECT_EQ(status, core::Status::invalid_argument);
    EXPECT_EQ(message, fmt::format("launch: {} blocks in clusters of {}; a cluster has 1 to 8 "
                                   "blocks, and divides the grid",
                                   grid, cluster));
  }
  EXPECT_THAT(fake_->calls, ElementsAre());
}

TEST_F(Runtime, AFailedCallNamesItselfAndTheDriversError) {
  fail_with("cuLaunchKernelEx", 700);
  const auto [status, message] = error_of([] { Kernel(nullptr).launch({}, nullptr, 0); });
  EXPECT_EQ(status, core::Status::device_failed);
  EXPECT_EQ(message, "cuLaunchKernelEx: CUDA_ERROR_FAKE (as the test wanted)");
}

TEST_F(Runtime, LoadsAModuleAndUnloadsItWhenTheKernelIsNotInIt) {
  const std::uint8_t cubin[] = {1};
  const Kernel kernel = load_module(cubin, "_Zkernel", 0);
  EXPECT_EQ(kernel.function(), reinterpret_cast<void*>(0x300));
  allow_shared_bytes(kernel, 200000, 0);
  EXPECT_EQ(fake_->shared_limit, 200000);
  fail_with("cuModuleGetFunction", 500);
  EXPECT_EQ(error_of([&] { load_module(cubin, "_Zmissing", 0); }).first,
            core::Status::device_failed);
  EXPECT_THAT(fake_->calls, ::testing::Contains("cuModuleUnload"));
  EXPECT_THAT(fake_->contexts, ElementsAre());
}

TEST_F(Runtime, MemoryGoesThereAndBackAndIsFreed) {
  std::vector<int> values(100);
  std::iota(values.begin(), values.end(), 0);
  std::vector<int> back(100);
  {
    Buffer buffer(values.size() * sizeof(int));
    copy_to_device(buffer.data(), values.data(), buffer.bytes());
    Buffer moved = std::move(buffer);
    EXPECT_EQ(buffer.data(), nullptr);
    copy_to_host(back.data(), moved.data(), moved.bytes());
    EXPECT_EQ(back, values);
    fill(moved.data(), 0xff, moved.bytes());
    copy_to_host(back.data(), moved.data(), moved.bytes());
    EXPECT_EQ(back[99], -1);
    EXPECT_EQ(fake_->allocations, 1);
    moved = Buffer(8);
  }
  EXPECT_EQ(fake_->allocations, 0);
}

TEST_F(Runtime, SaysHowMuchMemoryThereWasNot) {
  fail_with("cuMemAlloc", api::error_out_of_memory);
  const auto [status, message] = error_of([] { Buffer(123456); });
  EXPECT_EQ(status, core::Status::out_of_memory);
  EXPECT_THAT(message, HasSubstr("123456 bytes"));
}

TEST_F(Runtime, AnEmptyBufferAsksForNothing) {
  const Buffer empty(0);
  copy_to_device(empty.data(), nullptr, 0);
  EXPECT_THAT(fake_->calls, ElementsAre());
}

TEST_F(Runtime, CapturesInThreadLocalModeAndFreesWhatItMade) {
  {
    const Graph graph([](StreamHandle stream) { Kernel(nullptr).launch({}, stream, 1); });
    graph.launch(nullptr);
  }
  EXPECT_EQ(fake_->capture_mode, api::capture_thread_local);
  EXPECT_THAT(fake_->calls,
              ElementsAre("cuStreamCreate", "cuStreamBeginCapture", "cuLaunchKernelEx",
                          "cuStreamEndCapture", "cuStreamDestroy", "cuGraphInstantiate",
                          "cuGraphLaunch", "cuGraphExecDestroy", "cuGraphDestroy"));
}

TEST_F(Runtime, AFailureInsideACaptureEndsIt) {
  EXPECT_THROW(Graph([](StreamHandle) { throw std::runtime_error("in the middle"); }),
               std::runtime_error);
  EXPECT_THAT(fake_->calls, ElementsAre("cuStreamCreate", "cuStreamBeginCapture",
                                        "cuStreamEndCapture", "cuGraphDestroy", "cuStreamDestroy"));
}

TEST_F(Runtime, AGraphsKernelIsGivenAnotherShapeAndArgument) {
  Graph graph([](StreamHandle stream) { Kernel(nullptr).launch({}, stream, 1); });
  const Kernel kernel(reinterpret_cast<void*>(0x300));
  const int argument = 42;
  fake_->calls.clear();
  graph.set_kernel(kernel, {.grid = 70000, .block = 128, .shared_bytes = 1234}, &argument);
  EXPECT_THAT(fake_->calls, ElementsAre("cuGraphExecKernelNodeSetParams"));
  EXPECT_EQ(fake_->node.function, reinterpret_cast<api::Function>(0x300));
  EXPECT_EQ(fake_->node.dims.grid_x, 70000U);
  EXPECT_EQ(fake_->node.dims.block_x, 128U);
  EXPECT_EQ(fake_->node.dims.shared_bytes, 1234U);
  EXPECT_EQ(fake_->launched_value, 42);
}

TEST_F(Runtime, EventsMeasureInMicroseconds) {
  const Event start, stop;
  start.record(nullptr);
  stop.record(nullptr);
  stop.synchronize();
  EXPECT_DOUBLE_EQ(Event::elapsed_us(start, stop), 250.0);
}

}  // namespace
}  // namespace flashcore::cuda
