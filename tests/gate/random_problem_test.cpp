#include "gate/random_problem.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "core/error.h"

namespace flashcore::gate {
namespace {

using core::Problem;
using core::Strides;

constexpr std::uint64_t draws = 2000;

TEST(RandomProblem, CoversTheContract) {
  std::map<std::string, int> seen;
  for (std::uint64_t seed = 0; seed < draws; ++seed) {
    const Problem p = random_problem(seed, {});
    ++seen[std::string(core::name(p.dtype))];
    ++seen[std::string(core::name(p.mask.kind))];
    seen["window"] += p.mask.window_left >= 0 || p.mask.window_right >= 0;
    seen["no keys"] += p.seq_kv == 0;
    seen["one query"] += p.seq_q == 1;
    seen["more queries than keys"] += p.seq_q > p.seq_kv;
    seen["fewer queries than keys"] += p.seq_q < p.seq_kv;
    seen["groups"] += p.group_size() > 1;
    seen["bhsd"] += p.q_strides == core::bhsd_strides(p.heads_q, p.seq_q, p.head_dim);
    seen["bshd"] += p.q_strides == core::bshd_strides(p.heads_q, p.seq_q, p.head_dim);
    seen["padded rows"] += p.q_strides.seq > p.head_dim && p.q_strides.seq % p.head_dim != 0;
    seen["gaps in lse"] += p.lse_strides.seq > 1;
    seen["whole tiles"] += p.seq_q % 64 == 0;
    seen["one past a tile"] += p.seq_q % 64 == 1 && p.seq_q > 64;
    seen["odd head_dim"] += p.head_dim % 2 == 1;
    bool masked = false, few = false, edge = false;
    for (std::int64_t row = 0; row < p.seq_q; ++row) {
      const auto keys = device::visible_keys(p.band(), row, p.seq_kv);
      masked |= keys.empty();
      few |= !keys.empty() && keys.end - keys.begin <= 4;
      edge |= !keys.empty() && (keys.begin > 0 || keys.end < p.seq_kv);
    }
    seen["fully masked rows"] += masked && p.seq_kv > 0;
    seen["rows with few keys"] += few;
    seen["rows with some keys"] += edge;
  }
  for (const auto& [what, count] : seen) EXPECT_GE(count, draws / 50) << what;
  EXPECT_EQ(seen.size(), 22U);
}

TEST(RandomProblem, KeepsItsLimitsAndItsTensorsInBounds) {
  const RandomLimits limits{.max_batch = 2,
                            .max_heads_kv = 2,
                            .max_group = 3,
                            .max_seq = 70,
                            .max_head_dim = 96,
                            .head_dim_multiple = 8};
  for (std::uint64_t seed = 0; seed < draws; ++seed) {
    const Problem p = random_problem(seed, limits);
    EXPECT_TRUE(p.batch >= 1 && p.batch <= 2) << p.to_string();
    EXPECT_TRUE(p.heads_kv >= 1 && p.heads_kv <= 2 && p.heads_q % p.heads_kv == 0);
    EXPECT_TRUE(p.group_size() >= 1 && p.group_size() <= 3);
    EXPECT_TRUE(p.seq_q >= 1 && p.seq_q <= 70 && p.seq_kv >= 0 && p.seq_kv <= 70);
    EXPECT_TRUE(p.head_dim % 8 == 0 && p.head_dim >= 8 && p.head_dim <= 96);
    for (const Strides& s : {p.q_strides, p.k_strides, p.v_strides, p.o_strides}) {
      EXPECT_GE(s.seq, p.head_dim);
      for (const std::int64_t stride : {s.batch, s.head, s.seq})
        EXPECT_EQ(stride * static_cast<std::int64_t>(core::size_of(p.dtype)) % p.alignment, 0);
    }
  }
}

TEST(RandomProblem, TheSameSeedDrawsTheSameProblem) {
  for (std::uint64_t seed = 0; seed < 50; ++seed)
    EXPECT_EQ(random_problem(seed, {}), random_problem(seed, {}));
  EXPECT_NE(random_problem(1, {}), random_problem(2, {}));
}

TEST(RandomProblem, RefusesLimitsThatAllowNothing) {
  EXPECT_THROW(random_problem(0, {.max_seq = 0}), core::Error);
  EXPECT_THROW(random_problem(0, {.max_head_dim = 4, .head_dim_multiple = 8}), core::Error);
  EXPECT_THROW(random_problem(0, {.dtypes = {}}), core::Error);
}

}  // namespace
}  // namespace flashcore::gate
