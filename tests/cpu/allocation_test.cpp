// No allocation after the first call. This file replaces the global operator new of its executable.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "cpu/backend.h"
#include "forward_helper.h"

namespace {

std::atomic<long> allocations{0};

void* counted(std::size_t bytes, std::size_t alignment) {
  ++allocations;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) {
  return counted(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace flashcore::cpu {
namespace {

TEST(Backend, AllocatesNothingAfterTheFirstCallOfTheProcess) {
  using core::Dtype;
  for (const Dtype dtype : core::all_dtypes) {
    core::HostCall call =
        core::HostCall::random(core::contiguous_problem(dtype, 1, 4, 2, 200, 300, 40), 1);
    const std::size_t bytes = workspace_bytes(call.problem);
    core::HostTensor workspace(Dtype::float32, static_cast<std::int64_t>(bytes / 4 + 1));
    core::Arguments arguments = call.arguments();
    arguments.workspace = workspace.data();
    arguments.workspace_bytes = bytes;
    if (dtype == core::all_dtypes.front()) attention_forward(call.problem, arguments);
    const long before = allocations;
    for (int i = 0; i < 5; ++i) {
      attention_forward(call.problem, arguments);
      EXPECT_EQ(workspace_bytes(call.problem), bytes);
    }
    EXPECT_EQ(allocations - before, 0) << core::name(dtype);
  }
}

TEST(Backend, TheCounterOfAllocationsCounts) {
  const long before = allocations;
  const core::HostTensor tensor(core::Dtype::float32, 100);
  EXPECT_GT(allocations - before, 0);
}

}  // namespace
}  // namespace flashcore::cpu
