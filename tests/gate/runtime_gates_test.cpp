// Implementations that are broken in one way each, and the gate that must notice.
#include "gate/runtime_gates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <memory>
#include <vector>

#include "core/error.h"
#include "core/half.h"
#include "cpu/backend.h"
#include "gate/record.h"

namespace flashcore::gate {
namespace {

using core::Arguments;
using core::Problem;

Problem small_problem() {
  return core::contiguous_problem(core::Dtype::float32, 1, 2, 1, 20, 24, 8,
                                  {core::MaskKind::causal_bottom_right, -1, -1});
}

constexpr RunOptions options{.seed = 3, .trials = 20};

/// The CPU backend, and then whatever the test does to its result.
Target target_that(const Problem& problem, std::function<void(const Arguments&)> afterwards) {
  return {problem, cpu::workspace_bytes(problem),
          [problem, afterwards = std::move(afterwards)](const Arguments& arguments) {
            cpu::attention_forward(problem, arguments);
            afterwards(arguments);
          }};
}

Target correct_target(const Problem& problem = small_problem()) {
  return target_that(problem, [](const Arguments&) {});
}

double measured(const GateResult& result, std::string_view what) {
  for (const Check& check : result.checks)
    if (check.what == what) return check.measured;
  ADD_FAILURE() << what << " is not among the checks";
  return -1;
}

TEST(RuntimeGates, ACorrectImplementationPassesAll) {
  const Target target = correct_target();
  for (const char* gate : {"correctness", "determinism", "stability", "safety"}) {
    const GateResult result = run_gate(gate, target, options);
    EXPECT_EQ(result.verdict, Verdict::pass) << gate << ": " << result.detail;
  }
}

TEST(RuntimeGates, PaddedRowsAreNoDamage) {
  Problem problem = small_problem();
  problem.o_strides.seq += 3;
  problem.o_strides.head = problem.seq_q * problem.o_strides.seq;
  problem.o_strides.batch = problem.heads_q * problem.o_strides.head;
  problem.alignment = 4;
  const Target target = correct_target(problem);
  EXPECT_EQ(run_safety(target, options).verdict, Verdict::pass);
  EXPECT_EQ(run_determinism(target, options).verdict, Verdict::pass);
}

TEST(RuntimeGates, CorrectnessNoticesOneWrongElementAndNamesTheSeed) {
  const Target target = target_that(small_problem(), [](const Arguments& arguments) {
    static_cast<float*>(arguments.o)[37] += 0.01F;
  });
  const GateResult result = run_correctness(target, options);
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_NE(result.detail.find("seed 3: o["), std::string::npos) << result.detail;
}

TEST(RuntimeGates, CorrectnessNoticesAnElementThatNobodyWrites) {
  const Target target = target_that(small_problem(), [](const Arguments& arguments) {
    std::memset(static_cast<float*>(arguments.o) + 11, 0xFF, sizeof(float));
  });
  EXPECT_EQ(run_correctness(target, options).verdict, Verdict::fail);
}

TEST(RuntimeGates, DeterminismNoticesALastBitThatChanges) {
  const auto calls = std::make_shared<std::atomic<int>>(0);
  const Target target = target_that(small_problem(), [calls](const Arguments& arguments) {
    float& element = static_cast<float*>(arguments.o)[5];
    if (++*calls == 3) element = std::nextafter(element, 2.0F);
  });
  const GateResult result = run_determinism(target, options);
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_EQ(measured(result, "differing_hashes"), 1);
}

TEST(RuntimeGates, DeterminismNoticesAnElementThatOnlyTheFirstRunWrites) {
  const Problem problem = small_problem();
  auto runs = std::make_shared<int>(0);
  const Target target(problem, cpu::workspace_bytes(problem), [=](const Arguments& arguments) {
    float& element = static_cast<float*>(arguments.o)[5];
    const float before = element;
    cpu::attention_forward(problem, arguments);
    if ((*runs)++ > 0) element = before;
  });
  EXPECT_EQ(run_determinism(target, options).verdict, Verdict::fail);
}

TEST(RuntimeGates, RepeatedRunsFindTheOutputsPoisonedOtherwiseEachTime) {
  std::vector<std::vector<std::byte>> went_in;
  const Target target(small_problem(), 0, [&](const Arguments& arguments) {
    const auto* o = static_cast<const std::byte*>(arguments.o);
    const auto* lse = reinterpret_cast<const std::byte*>(arguments.lse);
    went_in.push_back({o[0], o[17], lse[0], lse[5]});
    static_cast<float*>(arguments.o)[3] = static_cast<float>(went_in.size());
  });
  auto call = core::HostCall::random(small_problem(), 1);
  std::vector<float> came_back;
  target.repeat(call, 3, [&](int) { came_back.push_back(call.o.at(3)); });
  EXPECT_EQ(came_back, (std::vector<float>{1, 2, 3}));
  for (const auto& bytes : went_in)
    EXPECT_EQ(std::count(bytes.begin(), bytes.end(), bytes.front()), std::ssize(bytes));
  EXPECT_NE(went_in[0], went_in[1]);
  EXPECT_NE(went_in[1], went_in[2]);
}

TEST(RuntimeGates, BuffersThatAreKeptAreWholeAgainForTheNextCall) {
  int calls = 0;
  const Target target(small_problem(), 64, [&](const Arguments& arguments) {
    auto* o = static_cast<std::byte*>(arguments.o);
    auto* q = static_cast<std::byte*>(const_cast<void*>(arguments.q));
    if (++calls > 1) return;
    o[-1] = std::byte{1};
    q[0] ^= std::byte{1};
    static_cast<std::byte*>(arguments.workspace)[64] = std::byte{1};
  });
  auto call = core::HostCall::random(small_problem(), 1);
  const Damage first = target.run(call), second = target.run(call);
  EXPECT_EQ(first.guard_bytes, 2);
  EXPECT_EQ(first.input_bytes, 1);
  EXPECT_EQ(second.guard_bytes, 0);
  EXPECT_EQ(second.input_bytes, 0);
}

TEST(RuntimeGates, AScreeningLooksAtTheFirstRunsErrorAndAtAllRunsBits) {
  for (const int wrong : {0, 2}) {
    auto runs = std::make_shared<int>(0);
    const Target target = target_that(small_problem(), [runs, wrong](const Arguments& arguments) {
      if ((*runs)++ == wrong) static_cast<float*>(arguments.o)[7] += 0.5F;
    });
    auto call = core::HostCall::random(small_problem(), 1);
    const Screening screening = screen(target, call, correctness_sample(call, 1));
    EXPECT_EQ(screening.accuracy.correct, wrong != 0);
    EXPECT_FALSE(screening.deterministic);
  }
}

TEST(RuntimeGates, StabilityNoticesAFaultThatComesOnceInTwentyCalls) {
  const auto calls = std::make_shared<std::atomic<int>>(0);
  const Target target = target_that(small_problem(), [calls](const Arguments& arguments) {
    if (++*calls == 13) static_cast<float*>(arguments.o)[0] = 9.0F;
  });
  const GateResult result = run_stability(target, options);
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_EQ(measured(result, "incorrect_trials"), 1);
}

TEST(RuntimeGates, StabilityIsSkippedAndNotPassedWithFewerTrials) {
  EXPECT_EQ(run_stability(correct_target(), {.seed = 3, .trials = 5}).verdict, Verdict::skipped);
}

TEST(RuntimeGates, SafetyNoticesAWriteDirectlyBehindTheOutput) {
  const Problem problem = small_problem();
  const auto end = static_cast<std::size_t>(problem.heads_q * problem.seq_q * problem.head_dim);
  const Target target = target_that(
      problem, [end](const Arguments& arguments) { static_cast<float*>(arguments.o)[end] = 0; });
  const GateResult result = run_safety(target, options);
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_EQ(measured(result, "guard_bytes_changed"), 8);  // four in each of its two calls
}

TEST(RuntimeGates, SafetyNoticesAWriteInFrontOfTheWorkspace) {
  const Target target = target_that(small_problem(), [](const Arguments& arguments) {
    static_cast<char*>(arguments.workspace)[-1] = 0;
  });
  EXPECT_EQ(run_safety(target, options).verdict, Verdict::fail);
}

TEST(RuntimeGates, SafetyNoticesAnInputThatChanges) {
  const Target target = target_that(small_problem(), [](const Arguments& arguments) {
    static_cast<float*>(const_cast<void*>(arguments.v))[3] = 1.0F;
  });
  const GateResult result = run_safety(target, options);
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_GT(measured(result, "input_bytes_changed"), 0);
}

TEST(RuntimeGates, SafetyNoticesAWriteBetweenTheRowsOfAStridedOutput) {
  Problem problem = small_problem();
  problem.o_strides = {2 * 20 * 12, 20 * 12, 12};
  const Target target = target_that(
      problem, [](const Arguments& arguments) { static_cast<float*>(arguments.o)[8] = 0; });
  const GateResult result = run_safety(target, options);
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_EQ(measured(result, "padding_bytes_changed"), 8);
}

TEST(RuntimeGates, SafetyNoticesANanThatReachesAnotherRow) {
  const Target target = target_that(small_problem(), [](const Arguments& arguments) {
    float* o = static_cast<float*>(arguments.o);
    if (std::isnan(o[0])) o[8] = o[0];  // from the first query to the second
  });
  const GateResult result = run_safety(target, options);
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_EQ(measured(result, "spread_of_nan"), 1);
}

TEST(RuntimeGates, SafetyNoticesANanThatIsSwallowed) {
  const Target target = target_that(small_problem(), [](const Arguments& arguments) {
    float* o = static_cast<float*>(arguments.o);
    for (int i = 0; i < 8; ++i) o[i] = std::isnan(o[i]) ? 0 : o[i];
  });
  EXPECT_EQ(run_safety(target, options).verdict, Verdict::fail);
}

TEST(RuntimeGates, RefuseTheNameOfAGateThatRunsNoCall) {
  EXPECT_THROW(run_gate("ptxas", correct_target(), options), core::Error);
}

}  // namespace
}  // namespace flashcore::gate
