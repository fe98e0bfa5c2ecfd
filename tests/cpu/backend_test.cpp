#include "cpu/backend.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "core/half.h"
#include "forward_helper.h"
#include "gate/accuracy.h"
#include "gate/random_problem.h"

namespace flashcore::cpu {
namespace {

using core::Dtype;
using core::HostCall;
using core::MaskKind;
using core::Problem;

void expect_accurate(HostCall& call, const std::string& what, bool normal_inputs = true) {
  const gate::Accuracy accuracy = gate::check_accuracy(call, true, normal_inputs);
  EXPECT_TRUE(accuracy.correct) << what << ": " << call.problem.to_string() << ": "
                                << accuracy.reason;
}

bool same_results(const HostCall& a, const HostCall& b) {
  return std::memcmp(a.o.data(), b.o.data(), a.o.bytes()) == 0 &&
         std::memcmp(a.lse.data(), b.lse.data(), a.lse.size() * sizeof(float)) == 0;
}

TEST(Backend, AgreesWithTheOracleOnRandomProblems) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const gate::RandomLimits limits{.max_batch = 2, .max_heads_kv = 2, .max_group = 3};
    HostCall call = HostCall::random(gate::random_problem(seed, limits), seed);
    run(call);
    expect_accurate(call, "seed " + std::to_string(seed));
  }
}

TEST(Backend, EveryInstructionSetAgreesWithTheOracle) {
  ThreadPool pool(1);
  for (const SimdKernel& kernel : available_kernels())
    for (std::uint64_t seed = 1000; seed < 1040; ++seed) {
      HostCall call = HostCall::random(
          gate::random_problem(seed, {.max_batch = 1, .max_heads_kv = 2, .max_seq = 150}), seed);
      run(call, kernel, pool);
      expect_accurate(call, std::string(kernel.name) + " seed " + std::to_string(seed));
    }
}

TEST(Backend, AgreesWithTheOracleOverManyBlocksAndOnLargeHeads) {
  const std::vector<Problem> problems{
      core::contiguous_problem(Dtype::float32, 1, 1, -1, 300, 700, 64),
      core::contiguous_problem(Dtype::bfloat16, 1, 2, 1, 600, 600, 40,
                               {MaskKind::causal_bottom_right, 300, -1}),
      core::contiguous_problem(Dtype::float16, 1, 8, 1, 1, 1500, 64),
      core::contiguous_problem(Dtype::float32, 1, 1, -1, 20, 150, 300),
      core::contiguous_problem(Dtype::float32, 1, 1, -1, 5, 70, 1500),
      core::contiguous_problem(Dtype::float32, 1, 1, -1, 130, 200, 1)};
  for (const Problem& problem : problems) {
    HostCall call = HostCall::random(problem, 1);
    run(call);
    expect_accurate(call, "");
  }
}

TEST(Backend, AnyFiniteScaleIsApplied) {
  for (const float scale : {0.0F, -0.3F, 1e-38F, 3.0F, -40.0F}) {
    for (const Dtype dtype : core::all_dtypes) {
      HostCall call = HostCall::random(
          core::contiguous_problem(dtype, 1, 2, -1, 70, 150, 24, {MaskKind::causal_top_left}), 1);
      call.scale = scale;
      run(call);
      expect_accurate(call, "scale " + std::to_string(scale), false);
    }
  }
}

TEST(Backend, AKeyHeadMayBeBroadcastOverTheBatch) {
  Problem p = core::contiguous_problem(Dtype::float16, 3, 2, -1, 40, 50, 16);
  p.k_strides.batch = p.v_strides.batch = 0;
  HostCall call = HostCall::random(p, 1);
  run(call);
  expect_accurate(call, "broadcast");
}

TEST(Backend, TheBitsDoNotDependOnTheThreads) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Problem p =
        gate::random_problem(seed, {.max_batch = 2, .max_seq = 400, .max_head_dim = 80});
    HostCall first = HostCall::random(p, seed);
    ThreadPool one(1);
    run(first, available_kernels().front(), one);
    for (const int threads : {1, 2, 3, 16}) {
      HostCall again = HostCall::random(p, seed);
      ThreadPool pool(threads);
      run(again, available_kernels().front(), pool);
      EXPECT_TRUE(same_results(first, again)) << threads << " threads: " << p.to_string();
    }
  }
}

TEST(Backend, ServesSeveralCallersAtOnce) {
  const Problem p = core::contiguous_problem(Dtype::bfloat16, 2, 4, 2, 150, 170, 32);
  HostCall expected = HostCall::random(p, 7);
  run(expected);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      HostCall call = HostCall::random(p, 7);
      for (int round = 0; round < 10; ++round) {
        call.poison_outputs();
        run(call);
        EXPECT_TRUE(same_results(call, expected));
      }
    });
  for (std::thread& caller : callers) caller.join();
}

/// One query, two keys of equal score: the output is the mean of two values, rounded once.
TEST(Backend, RoundsOutputsAsTheHostDoesInEveryInstructionSet) {
  ThreadPool pool(1);
  for (const SimdKernel& kernel : available_kernels())
    for (const Dtype dtype : {Dtype::float16, Dtype::bfloat16}) {
      constexpr std::int64_t all = 1 << 16;
      HostCall call = HostCall::random(core::contiguous_problem(dtype, 1, 1, -1, 1, 2, all), 1);
      call.q.fill_bytes(0);
      for (std::int64_t bits = 0; bits < all; ++bits) {  // a value of every bit pattern
        auto* const v = reinterpret_cast<std::uint16_t*>(call.v.data());
        v[bits] = static_cast<std::uint16_t>(bits);
        v[all + bits] = static_cast<std::uint16_t>(bits ^ ((bits >> 3) & 7));
      }
      run(call, kernel, pool);
      for (std::int64_t i = 0; i < all; ++i) {
        const float mean = (call.v.at(i) + call.v.at(all + i)) * 0.5F;
        core::HostTensor rounded(dtype, 1);
        rounded.set(0, mean);
        if (std::isnan(mean))
          ASSERT_TRUE(std::isnan(call.o.at(i))) << kernel.name << " " << i;
        else
          ASSERT_EQ(call.o.at(i), rounded.at(0)) << kernel.name << " " << i;
      }
    }
}

/// One query, two keys with scores 0 and x, values 0 and 1: the output is the logistic function.
TEST(Backend, TheExponentialIsAccurateOverItsRange) {
  ThreadPool pool(1);
  for (const SimdKernel& kernel : available_kernels())
    for (float x = -80.0F; x < 0.0F; x += 0.0371F) {
      HostCall call =
          HostCall::random(core::contiguous_problem(Dtype::float32, 1, 1, -1, 1, 2, 1), 1);
      call.q.set(0, 1.0F);
      call.k.set(0, 0.0F);
      call.k.set(1, x);
      call.v.set(0, 0.0F);
      call.v.set(1, 1.0F);
      run(call, kernel, pool);
      const double exact = 1.0 / (1.0 + std::exp(-static_cast<double>(x)));
      // x times log2(e) is rounded, which weighs |x| units in the result.
      const double tolerance = (3e-7 - 1.2e-7 * static_cast<double>(x)) * exact;
      ASSERT_NEAR(static_cast<double>(call.o.at(0)), exact, tolerance) << kernel.name << " " << x;
    }
}

TEST(Backend, SaysWhatItRunsWith) {
  const Problem p = core::contiguous_problem(Dtype::float16, 1, 8, -1, 512, -1, 64);
  EXPECT_TRUE(supports(p));
  EXPECT_EQ(simd_target(), available_kernels().front().name);
  const std::string text = describe(p);
  EXPECT_NE(text.find("block_kv=128,threads=" + std::to_string(thread_count())), std::string::npos)
      << text;
  EXPECT_NE(text.find("simd=" + simd_target()), std::string::npos) << text;
}

}  // namespace
}  // namespace flashcore::cpu
