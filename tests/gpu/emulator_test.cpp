// The emulator's bits beside the GPU's (docs/emulator.md says where they may differ, and why).
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "dispatch/dispatch.h"
#include "emulate/host_compiler.h"
#include "gate/random_problem.h"
#include "gate/target.h"
#include "gpu_test.h"

namespace flashcore {
namespace {

/// One call on the GPU and on the emulator, with the same Config.
struct Pair {
  std::unique_ptr<gate::Target> on_gpu, emulated;
};

Pair make_pair(const core::Problem& problem) {
  const auto* family = family::find_family("forward_mma");
  const auto& limits = cuda::device_info(0).limits;
  const dispatch::Pinned pinned{.family = "forward_mma",
                                .config = family->default_config(problem, limits)};
  dispatch::Device emulator{dispatch::Backend::emulator, 0};
  emulator.arch = limits.arch;
  return {std::make_unique<gate::Target>(problem, test::gpu, pinned),
          std::make_unique<gate::Target>(problem, emulator, pinned)};
}

/// The distance of two numbers of the dtype at `magnitude`.
double unit_in_the_last_place(core::Dtype dtype, double magnitude) {
  const int digits = dtype == core::Dtype::float16 ? 11 : 8;
  const int least_exponent = dtype == core::Dtype::float16 ? -13 : -125;  // subnormals below it
  return std::ldexp(1.0, std::max(std::ilogb(magnitude) + 1, least_exponent) - digits);
}

struct Differences {
  std::int64_t elements = 0;
  std::int64_t equal = 0;
  std::int64_t above_own_unit = 0;  // by more than one unit of the element itself
  double most_units = 0.0;          // of the row's largest element
  std::string worst;
};

/// Takes in every row of the two outputs.
void compare(const core::HostCall& call, const core::HostCall& twin, Differences& found) {
  const core::Problem& p = call.problem;
  for (std::int64_t batch = 0; batch < p.batch; ++batch)
    for (std::int64_t head = 0; head < p.heads_q; ++head)
      for (std::int64_t row = 0; row < p.seq_q; ++row) {
        const std::int64_t first =
            batch * p.o_strides.batch + head * p.o_strides.head + row * p.o_strides.seq;
        double largest = 0.0;
        for (std::int64_t i = 0; i < p.head_dim; ++i)
          largest = std::max<double>(largest, std::abs(call.o.at(first + i)));
        for (std::int64_t i = 0; i < p.head_dim; ++i) {
          const double ours = call.o.at(first + i), theirs = twin.o.at(first + i);
          const double distance = std::abs(ours - theirs);
          ++found.elements;
          found.equal += distance == 0.0 ? 1 : 0;
          if (distance == 0.0) continue;
          const double own = std::max(std::abs(ours), std::abs(theirs));
          found.above_own_unit += distance > unit_in_the_last_place(p.dtype, own) ? 1 : 0;
          const double units = distance / unit_in_the_last_place(p.dtype, largest);
          if (!(units <= found.most_units)) {
            found.most_units = units;
            found.worst = p.to_string();
          }
        }
      }
}

class GpuEmulator : public test::GpuTest {
 protected:
  void SetUp() override {
    test::GpuTest::SetUp();
    if (IsSkipped()) return;
    if (!emulate::host_compiler().available())
      GTEST_SKIP() << "the emulator's modules: " << emulate::host_compiler().problem;
  }
};

TEST_F(GpuEmulator, OutputsDifferByAUnitInTheLastPlaceAtMost) {
  const std::uint64_t problems = test::problem_count(100);
  std::vector<Pair> pairs(problems);
  const auto problem_of = [](std::uint64_t seed) {
    return gate::random_problem(seed, {.max_batch = 2,
                                       .max_heads_kv = 2,
                                       .max_group = 2,
                                       .max_seq = 160,
                                       .max_head_dim = 256,
                                       .head_dim_multiple = 8,
                                       .dtypes = test::gpu_dtypes});
  };
  core::parallel_for(problems,
                     [&](std::size_t seed) { pairs[seed] = make_pair(problem_of(seed)); });

  Differences found;
  for (std::uint64_t seed = 0; seed < problems; ++seed) {
    auto call = core::HostCall::random(problem_of(seed), seed);
    auto twin = call;
    pairs[seed].on_gpu->run(call);
    pairs[seed].emulated->run(twin);
    compare(call, twin, found);
  }
  std::printf(
      "%lld elements, %.3f%% the same bits, %lld above one unit of their own, at most %.2f "
      "units of the row's largest\n",
      static_cast<long long>(found.elements),
      100.0 * static_cast<double>(found.equal) / static_cast<double>(found.elements),
      static_cast<long long>(found.above_own_unit), found.most_units);
  EXPECT_LE(found.most_units, 1.0) << found.worst;
}

/// Runs both and expects the same bits.
void expect_equal_bits(core::HostCall call) {
  auto twin = call;
  const Pair pair = make_pair(call.problem);
  pair.on_gpu->run(call);
  pair.emulated->run(twin);
  for (std::int64_t i = 0; i < call.o.elements(); ++i)
    ASSERT_EQ(call.o.at(i), twin.o.at(i)) << call.problem.to_string() << " element " << i;
  ASSERT_NE(call.o.at(0), 0.0F);
}

TEST_F(GpuEmulator, OutputsAreEqualWhereEveryWeightIsExact) {
  for (const auto dtype : test::gpu_dtypes)
    for (const std::int64_t head_dim : {64, 128, 256}) {
      const auto problem = core::contiguous_problem(dtype, 1, 2, 2, 80, head_dim, head_dim);
      // Each query finds one key: the others weigh 2^-369, which is 0.
      auto one_hot = core::HostCall::random(problem, 7);
      one_hot.scale = 1.0F;
      for (auto* tensor : {&one_hot.q, &one_hot.k})
        for (std::int64_t i = 0; i < tensor->elements(); ++i)
          tensor->set(i, i / head_dim % head_dim == i % head_dim ? 16.0F : 0.0F);
      expect_equal_bits(std::move(one_hot));

      // Every key weighs 1, and the values are integers.
      auto mean = core::HostCall::random(problem, 8);
      for (std::int64_t i = 0; i < mean.q.elements(); ++i) mean.q.set(i, 0.0F);
      for (std::int64_t i = 0; i < mean.v.elements(); ++i)
        mean.v.set(i, std::nearbyint(8.0F * mean.v.at(i)) + 1.0F);
      expect_equal_bits(std::move(mean));
    }
}

}  // namespace
}  // namespace flashcore
