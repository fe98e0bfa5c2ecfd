#include "gate/sampling.h"

#include <gtest/gtest.h>

#include "cpu/oracle.h"

namespace flashcore::gate {
namespace {

using core::HostCall;
using core::Mask;
using core::MaskKind;
using core::Problem;

/// Every block's own oracle must say what the whole Problem's says of those rows.
void expect_blocks_agree(const Problem& problem, std::int64_t first, std::int64_t rows) {
  HostCall whole = HostCall::random(problem, 5);
  const cpu::OracleResult expected = cpu::oracle(problem, whole.arguments());
  const std::int64_t batch = problem.batch - 1;
  const std::int64_t head = problem.heads_q - 1;
  HostCall block = extract_rows(whole, batch, head, first, rows);
  const cpu::OracleResult got = cpu::oracle(block.problem, block.arguments());
  const auto start =
      static_cast<std::size_t>((batch * problem.heads_q + head) * problem.seq_q + first);
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
    EXPECT_EQ(got.lse[row], expected.lse[start + row]) << problem.to_string() << " row " << row;
    for (std::size_t d = 0; d < static_cast<std::size_t>(problem.head_dim); ++d)
      EXPECT_EQ(got.o[row * static_cast<std::size_t>(problem.head_dim) + d],
                expected.o[(start + row) * static_cast<std::size_t>(problem.head_dim) + d]);
  }
}

Problem problem_of(std::int64_t seq_q, std::int64_t seq_kv, const Mask& mask, bool bshd = false) {
  return core::contiguous_problem(core::Dtype::float32, 2, 4, 2, seq_q, seq_kv, 8, mask, bshd);
}

TEST(ExtractRows, KeepsEveryMaskWhereBlocksMayStart) {
  for (const bool bshd : {false, true}) {
    expect_blocks_agree(problem_of(40, 50, {}, bshd), 7, 16);
    expect_blocks_agree(problem_of(40, 50, {MaskKind::causal_bottom_right, -1, -1}, bshd), 7, 16);
    expect_blocks_agree(problem_of(40, 50, {MaskKind::causal_top_left, -1, -1}, bshd), 7, 16);
  }
  expect_blocks_agree(problem_of(50, 40, {MaskKind::causal_top_left, -1, -1}), 24, 16);
  expect_blocks_agree(problem_of(40, 50, {MaskKind::causal_top_left, 5, -1}), 20, 16);
  expect_blocks_agree(problem_of(40, 50, {MaskKind::none, 5, 3}), 24, 16);
}

TEST(ExtractRows, KeepsRowsThatSeeNothing) {
  expect_blocks_agree(problem_of(50, 20, {MaskKind::causal_bottom_right, -1, -1}), 0, 16);
  expect_blocks_agree(problem_of(50, 20, {MaskKind::causal_bottom_right, -1, -1}), 20, 16);
}

HostCall answered(const Problem& problem) {
  HostCall call = HostCall::random(problem, 9);
  const cpu::OracleResult result = cpu::oracle(problem, call.arguments());
  for (std::size_t i = 0; i < result.o.size(); ++i)
    call.o.set(static_cast<std::int64_t>(i), static_cast<float>(result.o[i]));
  for (std::size_t i = 0; i < result.lse.size(); ++i)
    call.lse[i] = static_cast<float>(result.lse[i]);
  return call;
}

constexpr double tiny_budget = 16 * 64 * 8 * 2;  // two blocks

TEST(CheckSampled, AcceptsTheOraclesOwnAnswer) {
  HostCall call = answered(core::contiguous_problem(core::Dtype::float32, 2, 2, 2, 64, 64, 8));
  EXPECT_TRUE(check_sampled(call, false, 1, tiny_budget).correct);
  EXPECT_TRUE(check_sampled(call, false, 1, 1e9).correct);
}

TEST(CheckSampled, FindsAWrongHeadWhoseRowsItDraws) {
  HostCall call = answered(core::contiguous_problem(core::Dtype::float32, 1, 1, 1, 64, 64, 8));
  for (std::int64_t i = 0; i < call.o.elements(); ++i) call.o.set(i, call.o.at(i) + 0.5F);
  const Accuracy accuracy = check_sampled(call, false, 1, tiny_budget);
  EXPECT_FALSE(accuracy.correct);
  EXPECT_NE(accuracy.reason.find("head 0, rows from"), std::string::npos) << accuracy.reason;
}

TEST(CheckSampled, CoversDifferentRowsUnderDifferentSeeds) {
  HostCall call = answered(core::contiguous_problem(core::Dtype::float32, 1, 2, 2, 64, 64, 8));
  call.o.set(0, 7.0F);  // one wrong element of head 0
  int found = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed)
    found += check_sampled(call, false, seed, tiny_budget).correct ? 0 : 1;
  EXPECT_GT(found, 0);
  EXPECT_LT(found, 60);
}

}  // namespace
}  // namespace flashcore::gate
