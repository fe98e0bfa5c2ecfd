#include "gate/accuracy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cpu/oracle.h"

namespace flashcore::gate {
namespace {

using core::Dtype;
using core::HostCall;
using core::Mask;
using core::MaskKind;

/// A call whose outputs are the oracle's, rounded: as good as a result can be.
HostCall solved(Dtype dtype, std::int64_t seq_q, std::int64_t seq_kv, Mask mask = {}) {
  HostCall call =
      HostCall::random(core::contiguous_problem(dtype, 1, 2, -1, seq_q, seq_kv, 16, mask), 3);
  const cpu::OracleResult result = cpu::oracle(call.problem, call.arguments());
  for (std::size_t i = 0; i < result.o.size(); ++i)
    call.o.set(static_cast<std::int64_t>(i), static_cast<float>(result.o[i]));
  for (std::size_t i = 0; i < result.lse.size(); ++i)
    call.lse[i] = static_cast<float>(result.lse[i]);
  return call;
}

TEST(CheckAccuracy, AcceptsTheOracleItselfInEveryDtype) {
  for (const Dtype dtype : core::all_dtypes) {
    HostCall call = solved(dtype, 20, 30, {.kind = MaskKind::causal_top_left});
    const Accuracy accuracy = check_accuracy(call, true, true);
    EXPECT_TRUE(accuracy.correct) << accuracy.reason;
    EXPECT_EQ(accuracy.reason, "");
    EXPECT_GT(accuracy.plain_error, 0);
  }
}

TEST(CheckAccuracy, NamesTheElementThatIsOffAndItsBound) {
  HostCall call = solved(Dtype::float16, 20, 30);
  const std::int64_t at = (1 * 20 + 7) * 16 + 5;
  call.o.set(at, call.o.at(at) + 0.05F);
  const Accuracy accuracy = check_accuracy(call, true, false);
  EXPECT_FALSE(accuracy.correct);
  EXPECT_NE(accuracy.reason.find("o[0, 1, 7, 5]"), std::string::npos) << accuracy.reason;
  EXPECT_NE(accuracy.reason.find("bound"), std::string::npos) << accuracy.reason;
  EXPECT_NEAR(accuracy.max_error, 0.05, 2e-3);
}

TEST(CheckAccuracy, SeesAnElementThatNobodyWrote) {
  HostCall call = solved(Dtype::float32, 3, 4);
  call.o.set(17, std::numeric_limits<float>::quiet_NaN());
  EXPECT_FALSE(check_accuracy(call, true, false).correct);
}

TEST(CheckAccuracy, WantsFullyMaskedRowsToBeExactlyZeroAndMinusInfinity) {
  const Mask mask{.kind = MaskKind::causal_bottom_right};
  HostCall call = solved(Dtype::float16, 6, 4, mask);
  EXPECT_TRUE(check_accuracy(call, true, false).correct);
  call.o.set(0, 1e-7F);
  EXPECT_FALSE(check_accuracy(call, true, false).correct);
  call = solved(Dtype::float16, 6, 4, mask);
  call.lse[0] = -1e30F;
  const Accuracy accuracy = check_accuracy(call, true, false);
  EXPECT_FALSE(accuracy.correct);
  EXPECT_NE(accuracy.reason.find("fully masked"), std::string::npos) << accuracy.reason;
}

TEST(CheckAccuracy, ChecksTheLogSumExpOnlyWhereItWasWritten) {
  HostCall call = solved(Dtype::float16, 3, 4);
  call.lse[2] += 0.01F;
  const Accuracy accuracy = check_accuracy(call, true, false);
  EXPECT_FALSE(accuracy.correct);
  EXPECT_NE(accuracy.reason.find("lse[0, 0, 2]"), std::string::npos) << accuracy.reason;
  EXPECT_TRUE(check_accuracy(call, false, false).correct);
}

TEST(CheckAccuracy, WantsNaNWhereTheInputsCauseItAndNowhereElse) {
  HostCall call = solved(Dtype::float16, 3, 4);
  call.q.set(16, std::numeric_limits<float>::quiet_NaN());  // query 1 of head 0
  EXPECT_FALSE(check_accuracy(call, true, false).correct) << "finite where NaN belongs";
  for (std::int64_t d = 0; d < 16; ++d) call.o.set(16 + d, std::numeric_limits<float>::quiet_NaN());
  call.lse[1] = std::numeric_limits<float>::quiet_NaN();
  const Accuracy accuracy = check_accuracy(call, true, false);
  EXPECT_TRUE(accuracy.correct) << accuracy.reason;
}

/// The smallest error at o[0, 0, row, 0] that is refused, within a factor of 1.2.
double smallest_refused(Mask mask, std::int64_t row, bool normal_inputs) {
  HostCall call = solved(Dtype::float16, 200, 200, mask);
  call.v.set(0, 16.0F);  // one large value loosens the bound that is relative to plain
  const cpu::OracleResult result = cpu::oracle(call.problem, call.arguments());
  for (std::size_t i = 0; i < result.o.size(); ++i)
    call.o.set(static_cast<std::int64_t>(i), static_cast<float>(result.o[i]));
  const double exact = result.o[static_cast<std::size_t>(row) * 16];
  for (double error = 2e-4; error < 1; error *= 1.2) {
    call.o.set(row * 16, static_cast<float>(exact + error));
    if (!check_accuracy(call, false, normal_inputs).correct) return error;
  }
  return 1;
}

TEST(CheckAccuracy, AbsoluteBoundHoldsForRowsThatSee128KeysOrMore) {
  const Mask causal{.kind = MaskKind::causal_top_left};
  EXPECT_LT(smallest_refused(causal, 199, true), 1.3e-3);
  EXPECT_GT(smallest_refused(causal, 199, false), 2e-3);
  EXPECT_GT(smallest_refused(causal, 60, true), 2e-3);
}

}  // namespace
}  // namespace flashcore::gate
