#include "core/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace flashcore::core {
namespace {

TEST(ParallelFor, CallsEveryIndexOnce) {
  std::vector<std::atomic<int>> calls(1000);
  parallel_for(calls.size(), [&](std::size_t i) { ++calls[i]; });
  for (const auto& count : calls) EXPECT_EQ(count, 1);
}

TEST(ParallelFor, NothingToDoIsNothingDone) {
  parallel_for(0, [](std::size_t) { FAIL(); });
}

TEST(ParallelFor, RunsOnNoMoreThreadsThanAllowed) {
  std::atomic<int> inside = 0;
  std::atomic<bool> overlapped = false;
  parallel_for(200, 1, [&](std::size_t) {
    if (++inside > 1) overlapped = true;
    --inside;
  });
  EXPECT_FALSE(overlapped);
}

TEST(ParallelFor, AnExceptionReachesTheCaller) {
  EXPECT_THROW(parallel_for(100,
                            [](std::size_t i) {
                              if (i == 37) throw std::runtime_error("37");
                            }),
               std::runtime_error);
}

}  // namespace
}  // namespace flashcore::core
