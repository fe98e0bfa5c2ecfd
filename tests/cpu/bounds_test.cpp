// Nothing outside the rows of O and LSE is written, nothing outside the inputs is read.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "core/error.h"
#include "forward_helper.h"
#include "gate/random_problem.h"
#include "guard_page.h"

namespace flashcore::cpu {
namespace {

using core::Dtype;
using core::HostCall;
using core::HostTensor;
using core::Problem;

std::vector<std::byte> bytes_of(const HostTensor& tensor) {
  return {tensor.data(), tensor.data() + tensor.bytes()};
}

/// Marks the elements that belong to a row.
std::vector<bool> elements_in_rows(const core::Strides& s, const Problem& p, std::int64_t width,
                                   std::size_t elements) {
  std::vector<bool> inside(elements, false);
  for (std::int64_t b = 0; b < p.batch; ++b)
    for (std::int64_t h = 0; h < p.heads_q; ++h)
      for (std::int64_t query = 0; query < p.seq_q; ++query)
        for (std::int64_t d = 0; d < width; ++d)
          inside[static_cast<std::size_t>(b * s.batch + h * s.head + query * s.seq + d)] = true;
  return inside;
}

TEST(Bounds, GapsBetweenRowsAndAllInputsAreUntouched) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const Problem p = gate::random_problem(seed, {.max_batch = 2, .max_seq = 100});
    HostCall call = HostCall::random(p, seed);
    const auto q = bytes_of(call.q), k = bytes_of(call.k), v = bytes_of(call.v);
    const auto poisoned = bytes_of(call.o);
    run(call);
    EXPECT_EQ(bytes_of(call.q), q);
    EXPECT_EQ(bytes_of(call.k), k);
    EXPECT_EQ(bytes_of(call.v), v);
    const std::size_t size = core::size_of(p.dtype);
    const auto inside = elements_in_rows(p.o_strides, p, p.head_dim, poisoned.size() / size);
    for (std::size_t i = 0; i < inside.size(); ++i) {
      const bool touched =
          std::memcmp(call.o.data() + i * size, poisoned.data() + i * size, size) != 0;
      ASSERT_EQ(touched, inside[i]) << "o element " << i << " of " << p.to_string();
    }
    const auto lse_inside = elements_in_rows(p.lse_strides, p, 1, call.lse.size());
    for (std::size_t i = 0; i < call.lse.size(); ++i)
      ASSERT_EQ(call.lse[i] == call.lse[i], lse_inside[i]) << "lse " << i << p.to_string();
  }
}

TEST(Bounds, WithoutLseNothingIsWrittenThere) {
  HostCall call = HostCall::random(core::contiguous_problem(Dtype::float16, 1, 2, -1, 9, -1, 8), 1);
  run(call, false);
  for (const float lse : call.lse) EXPECT_NE(lse, lse);
}

/// The same bits come out when every buffer ends at a page that may not be touched.
void expect_in_bounds(const Problem& p, std::uint64_t seed, const SimdKernel& kernel,
                      ThreadPool& pool) {
  HostCall call = HostCall::random(p, seed);
  const GuardedBuffer q(call.q.data(), call.q.bytes()), k(call.k.data(), call.k.bytes()),
      v(call.v.data(), call.v.bytes()), o(call.o.data(), call.o.bytes());
  const GuardedBuffer lse(call.lse.data(), call.lse.size() * sizeof(float));
  const std::size_t bytes = workspace_bytes(p, kernel, pool.threads());
  const std::vector<std::byte> zeros(bytes);
  const GuardedBuffer workspace(zeros.data(), bytes);
  const core::Arguments arguments{.q = q.data(),
                                  .k = k.data(),
                                  .v = v.data(),
                                  .o = o.data(),
                                  .lse = reinterpret_cast<float*>(lse.data()),
                                  .scale = call.scale,
                                  .workspace = workspace.data(),
                                  .workspace_bytes = bytes};
  forward(p, arguments, kernel, pool);
  run(call, kernel, pool);
  EXPECT_EQ(std::memcmp(o.data(), call.o.data(), call.o.bytes()), 0) << p.to_string();
}

TEST(Bounds, TensorsMayEndWhereMemoryEnds) {
  ThreadPool pool(2);
  for (const SimdKernel& kernel : available_kernels())
    for (std::uint64_t seed = 0; seed < 60; ++seed)
      expect_in_bounds(
          gate::random_problem(seed,
                               {.max_batch = 1, .max_heads_kv = 2, .max_group = 2, .max_seq = 70}),
          seed, kernel, pool);
}

TEST(Bounds, RowsPaddedToWholeVectorsMayStillEndWhereMemoryEnds) {
  ThreadPool pool(1);
  for (const SimdKernel& kernel : available_kernels())
    for (const Dtype dtype : core::all_dtypes)
      for (std::int64_t head_dim = 1; head_dim <= 33; ++head_dim)
        for (const std::int64_t multiple : {4, 8, 16}) {
          Problem p = core::contiguous_problem(dtype, 1, 1, -1, 5, 11, head_dim);
          const std::int64_t stride = (head_dim + multiple - 1) / multiple * multiple;
          p.q_strides.seq = p.k_strides.seq = p.v_strides.seq = p.o_strides.seq = stride;
          expect_in_bounds(p, 1, kernel, pool);
        }
}

/// The message of the error that a workspace gives, or "".
std::string complaint(const HostCall& call, void* memory, std::size_t bytes) {
  ThreadPool pool(1);
  HostCall copy = call;
  core::Arguments arguments = copy.arguments();
  arguments.workspace = memory;
  arguments.workspace_bytes = bytes;
  try {
    forward(copy.problem, arguments, available_kernels().front(), pool);
  } catch (const core::Error& error) {
    EXPECT_EQ(error.status(), core::Status::invalid_argument);
    EXPECT_TRUE(bytes_of(copy.o) == bytes_of(call.o)) << "the output was touched";
    return error.what();
  }
  return "";
}

TEST(Bounds, AWorkspaceThatIsTooSmallOrMisalignedIsRefusedBeforeAnythingIsWritten) {
  const HostCall call =
      HostCall::random(core::contiguous_problem(Dtype::float16, 1, 2, -1, 9, -1, 8), 1);
  const std::size_t bytes = workspace_bytes(call.problem, available_kernels().front(), 1);
  HostTensor memory(Dtype::float32, static_cast<std::int64_t>(bytes / 4 + 16));
  EXPECT_EQ(complaint(call, memory.data(), bytes), "");
  EXPECT_EQ(complaint(call, memory.data(), bytes - 1), "workspace: " + std::to_string(bytes - 1) +
                                                           " bytes given, " +
                                                           std::to_string(bytes) + " needed");
  EXPECT_EQ(complaint(call, nullptr, bytes),
            "workspace: 0 bytes given, " + std::to_string(bytes) + " needed");
  EXPECT_NE(complaint(call, memory.data() + 4, bytes).find("4 bytes past a multiple of 64"),
            std::string::npos);
}

}  // namespace
}  // namespace flashcore::cpu
