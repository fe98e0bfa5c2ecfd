#include "core/problem.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <vector>

namespace flashcore::core {
namespace {

TEST(Problem, HashAndEqualityTellEveryFieldApart) {
  const Problem base = contiguous_problem(Dtype::float16, 2, 4, 2, 16, 32, 64);
  const std::vector<std::function<void(Problem&)>> changes{
      [](Problem& p) { p.dtype = Dtype::bfloat16; },
      [](Problem& p) { ++p.batch; },
      [](Problem& p) { ++p.heads_q; },
      [](Problem& p) { ++p.heads_kv; },
      [](Problem& p) { ++p.seq_q; },
      [](Problem& p) { ++p.seq_kv; },
      [](Problem& p) { ++p.head_dim; },
      [](Problem& p) { p.mask.kind = MaskKind::causal_top_left; },
      [](Problem& p) { ++p.mask.window_left; },
      [](Problem& p) { ++p.mask.window_right; },
      [](Problem& p) { ++p.q_strides.batch; },
      [](Problem& p) { ++p.k_strides.head; },
      [](Problem& p) { ++p.v_strides.seq; },
      [](Problem& p) { ++p.o_strides.batch; },
      [](Problem& p) { ++p.lse_strides.head; },
      [](Problem& p) { p.alignment = 8; },
  };
  std::set<std::size_t> hashes{hash(base)};
  for (const auto& change : changes) {
    Problem changed = base;
    change(changed);
    EXPECT_NE(changed, base);
    EXPECT_TRUE(hashes.insert(hash(changed)).second) << changed.to_string();
  }
}

TEST(Problem, FlopsCountOnlyThePairsThatTheMaskLetsThrough) {
  Problem p = contiguous_problem(Dtype::float16, 1, 1, -1, 4, -1, 8);
  EXPECT_EQ(p.flops(), 4.0 * 8 * 16);
  p.mask.kind = MaskKind::causal_top_left;
  EXPECT_EQ(p.flops(), 4.0 * 8 * 10);
  p.mask.window_left = 0;
  EXPECT_EQ(p.flops(), 4.0 * 8 * 4);
}

TEST(Problem, BytesCountEveryTensorOnce) {
  const Problem p = contiguous_problem(Dtype::float16, 2, 4, 1, 3, 5, 8);
  EXPECT_EQ(p.bytes(), 2.0 * 2 * 8 * (2 * 4 * 3 + 2 * 1 * 5));
}

TEST(Problem, NamesWhatDiffersFromTheDefault) {
  EXPECT_EQ(contiguous_problem(Dtype::float16, 1, 8, -1, 512, -1, 64).to_string(),
            "fp16 b=1 h=8 s=512 d=64");
  EXPECT_EQ(
      contiguous_problem(Dtype::bfloat16, 1, 8, 2, 5, 7, 64, {MaskKind::causal_bottom_right, 3, -1})
          .to_string(),
      "bf16 b=1 h=8 s=5 d=64 hkv=2 skv=7 mask=causal_bottom_right window=3,-1");
}

TEST(ContiguousProblem, AlignmentIsTheLargestPowerOfTwoThatDividesEveryRow) {
  const auto alignment = [](Dtype dtype, std::int64_t head_dim) {
    return contiguous_problem(dtype, 1, 1, -1, 4, -1, head_dim).alignment;
  };
  EXPECT_EQ(alignment(Dtype::float16, 64), 16);
  EXPECT_EQ(alignment(Dtype::float16, 20), 8);
  EXPECT_EQ(alignment(Dtype::bfloat16, 33), 2);
  EXPECT_EQ(alignment(Dtype::float32, 33), 4);
}

TEST(ContiguousProblem, StridesDescribeBothLayouts) {
  const Problem bhsd = contiguous_problem(Dtype::float16, 2, 3, -1, 5, -1, 8);
  EXPECT_EQ(bhsd.q_strides, (Strides{120, 40, 8}));
  const Problem bshd = contiguous_problem(Dtype::float16, 2, 3, -1, 5, -1, 8, {}, true);
  EXPECT_EQ(bshd.q_strides, (Strides{120, 8, 24}));
  EXPECT_EQ(bshd.lse_strides, (Strides{15, 5, 1}));
}

}  // namespace
}  // namespace flashcore::core
