// NaN and infinity reach the rows they belong to and no other.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/half.h"
#include "forward_helper.h"
#include "gate/accuracy.h"
#include "gate/random_problem.h"

namespace flashcore::cpu {
namespace {

using core::Dtype;
using core::HostCall;
using core::Problem;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr std::uint64_t seeds = 60;

/// Where the poison goes, drawn from the Problem's own size.
struct Spot {
  std::int64_t batch, kv_head, key, column;
};

Spot spot_in(const Problem& p, std::uint64_t seed) {
  const auto draw = [&](std::uint64_t prime, std::int64_t below) {
    return static_cast<std::int64_t>((seed * prime + 11) % static_cast<std::uint64_t>(below));
  };
  return {draw(7919, p.batch), draw(104729, p.heads_kv), draw(1299709, p.seq_kv),
          draw(15485863, p.head_dim)};
}

std::int64_t offset(const core::Strides& s, std::int64_t batch, std::int64_t head,
                    std::int64_t seq) {
  return batch * s.batch + head * s.head + seq * s.seq;
}

bool same_bits(float a, float b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

/// Runs the call clean and poisoned, and asks of every output element whether it may have changed.
template <typename Poison, typename Reached>
void expect_contained(std::uint64_t seed, const Poison& poison, const Reached& reached) {
  const Problem p = gate::random_problem(seed, {.max_batch = 2, .max_seq = 300});
  if (p.seq_kv == 0) return;
  const Spot spot = spot_in(p, seed);
  HostCall clean = HostCall::random(p, seed);
  HostCall poisoned = HostCall::random(p, seed);
  poison(poisoned, spot);
  run(clean);
  run(poisoned);
  for (std::int64_t b = 0; b < p.batch; ++b)
    for (std::int64_t h = 0; h < p.heads_q; ++h)
      for (std::int64_t query = 0; query < p.seq_q; ++query) {
        const bool sees = b == spot.batch && h / p.group_size() == spot.kv_head &&
                          device::visible_keys(p.band(), query, p.seq_kv).contains(spot.key);
        for (std::int64_t d = 0; d < p.head_dim; ++d) {
          const std::int64_t at = offset(p.o_strides, b, h, query) + d;
          if (sees && reached(spot, d))
            ASSERT_FALSE(std::isfinite(poisoned.o.at(at))) << "seed " << seed << p.to_string();
          else
            ASSERT_TRUE(same_bits(clean.o.at(at), poisoned.o.at(at)))
                << "seed " << seed << ": " << p.to_string() << " query " << query << " key "
                << spot.key;
        }
      }
}

TEST(Containment, NaNInAKeyReachesTheRowsThatSeeIt) {
  for (std::uint64_t seed = 0; seed < seeds; ++seed)
    expect_contained(
        seed,
        [](HostCall& call, const Spot& spot) {
          call.k.set(
              offset(call.problem.k_strides, spot.batch, spot.kv_head, spot.key) + spot.column,
              nan);
        },
        [](const Spot&, std::int64_t) { return true; });
}

TEST(Containment, NaNInAValueReachesItsColumnOfTheRowsThatSeeIt) {
  for (const float value : {nan, infinity, -infinity})
    for (std::uint64_t seed = 0; seed < seeds; ++seed)
      expect_contained(
          seed,
          [&](HostCall& call, const Spot& spot) {
            call.v.set(
                offset(call.problem.v_strides, spot.batch, spot.kv_head, spot.key) + spot.column,
                value);
          },
          [](const Spot& spot, std::int64_t column) { return column == spot.column; });
}

TEST(Containment, EveryNaNBitPatternOfFp32StaysNaN) {
  for (const std::uint32_t bits : {0x7F800001U, 0x7FC00001U, 0x7FFFFFFFU, 0xFF800001U, 0xFFFFFFFFU})
    for (const SimdKernel& kernel : available_kernels()) {
      ThreadPool pool(1);
      HostCall call =
          HostCall::random(core::contiguous_problem(Dtype::float32, 1, 1, -1, 9, 40, 16), 1);
      std::memcpy(call.q.data() + 3 * 16 * 4, &bits, sizeof bits);
      run(call, kernel, pool);
      const gate::Accuracy accuracy = gate::check_accuracy(call, true, false);
      EXPECT_TRUE(accuracy.correct) << kernel.name << ": " << accuracy.reason;
    }
}

TEST(Containment, AScaleThatIsNaNMakesEveryVisibleRowNaN) {
  for (const Dtype dtype : core::all_dtypes) {
    HostCall call = HostCall::random(
        core::contiguous_problem(dtype, 1, 1, -1, 9, 4, 16, {core::MaskKind::causal_bottom_right}),
        1);
    call.scale = std::bit_cast<float>(0x7FFFFFFFU);  // would round to -0 as bf16, were it a number
    run(call);
    const gate::Accuracy accuracy = gate::check_accuracy(call, true, false);
    EXPECT_TRUE(accuracy.correct) << core::name(dtype) << ": " << accuracy.reason;
  }
}

/// q is all ones and k constant per key, so that a key's score is head_dim times its number.
HostCall call_with_scores(Dtype dtype, std::int64_t seq_kv, float first, std::int64_t how_many) {
  HostCall call = HostCall::random(core::contiguous_problem(dtype, 1, 1, -1, 5, seq_kv, 8), 1);
  for (std::int64_t i = 0; i < call.q.elements(); ++i) call.q.set(i, 1.0F);
  for (std::int64_t i = 0; i < how_many * 8; ++i) call.k.set(i, first);
  return call;
}

TEST(Containment, RowsWhoseVisibleScoresAreAllMinusInfinityAreNaN) {
  for (const Dtype dtype : core::all_dtypes) {
    HostCall call = call_with_scores(dtype, 150, -infinity, 150);
    run(call);
    EXPECT_TRUE(std::isnan(call.o.at(0)));
    EXPECT_TRUE(std::isnan(call.lse[0]));
    const gate::Accuracy accuracy = gate::check_accuracy(call, true, false);
    EXPECT_TRUE(accuracy.correct) << accuracy.reason;
  }
}

TEST(Containment, KeysWithScoreMinusInfinityWeighNothingWhereverTheyLie) {
  for (const SimdKernel& kernel : available_kernels())
    for (const std::int64_t how_many : {1, 127, 128, 129, 255, 256, 299}) {
      ThreadPool pool(1);
      HostCall call = call_with_scores(Dtype::float32, 300, -infinity, how_many);
      run(call, kernel, pool);
      const gate::Accuracy accuracy = gate::check_accuracy(call, true, false);
      EXPECT_TRUE(accuracy.correct) << kernel.name << " " << how_many << ": " << accuracy.reason;
    }
}

TEST(Containment, ScoreOfPlusInfinityMakesItsRowNaN) {
  HostCall call = call_with_scores(Dtype::float32, 300, infinity, 2);
  run(call);
  const gate::Accuracy accuracy = gate::check_accuracy(call, true, false);
  EXPECT_TRUE(accuracy.correct) << accuracy.reason;
  EXPECT_TRUE(std::isnan(call.o.at(0)));
}

}  // namespace
}  // namespace flashcore::cpu
