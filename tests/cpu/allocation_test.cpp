// No allocation after the first call.
#include <gtest/gtest.h>

#include "cpu/backend.h"
#include "forward_helper.h"
#include "support/allocations.h"

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
    const long before = test::allocation_count();
    for (int i = 0; i < 5; ++i) {
      attention_forward(call.problem, arguments);
      EXPECT_EQ(workspace_bytes(call.problem), bytes);
    }
    EXPECT_EQ(test::allocation_count() - before, 0) << core::name(dtype);
  }
}

TEST(Backend, TheCounterOfAllocationsCounts) {
  const long before = test::allocation_count();
  const core::HostTensor tensor(core::Dtype::float32, 100);
  EXPECT_GT(test::allocation_count() - before, 0);
}

}  // namespace
}  // namespace flashcore::cpu
