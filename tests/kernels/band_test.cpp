// The ranges by which kernels skip tiles, against the mask's definition, over every small case.
#include "device/attention/band.h"

#include <gtest/gtest.h>

#include "core/mask.h"

namespace flashcore {
namespace {

using core::Mask;
using core::MaskKind;

/// The contract's sentence, key by key.
bool visible(const Mask& mask, long long query, long long key, long long seq_q, long long seq_kv) {
  const long long diagonal =
      mask.kind == MaskKind::causal_top_left ? query : query + seq_kv - seq_q;
  return (mask.kind == MaskKind::none || key <= diagonal) &&
         (mask.window_left < 0 || key >= diagonal - mask.window_left) &&
         (mask.window_right < 0 || key <= diagonal + mask.window_right);
}

template <typename Visit>
void for_each_small_case(Visit&& visit) {
  for (const MaskKind kind : core::all_mask_kinds)
    for (int left = -1; left <= 5; ++left)
      for (int right = -1; right <= 5; ++right)
        for (int seq_q = 1; seq_q <= 6; ++seq_q)
          for (int seq_kv = 0; seq_kv <= 6; ++seq_kv) visit(Mask{kind, left, right}, seq_q, seq_kv);
}

TEST(Band, RowRangeHoldsExactlyTheVisibleKeys) {
  for_each_small_case([](const Mask& mask, int seq_q, int seq_kv) {
    const auto band = core::band(mask, seq_q, seq_kv);
    for (int query = 0; query < seq_q; ++query) {
      const auto range = device::visible_keys(band, query, seq_kv);
      for (int key = 0; key < seq_kv; ++key)
        ASSERT_EQ(range.contains(key), visible(mask, query, key, seq_q, seq_kv))
            << name(mask.kind) << " window " << mask.window_left << ',' << mask.window_right
            << " lengths " << seq_q << ',' << seq_kv << " query " << query << " key " << key;
    }
  });
}

TEST(Band, RangeOfSeveralRowsSkipsNoKeyThatOneOfThemSees) {
  for_each_small_case([](const Mask& mask, int seq_q, int seq_kv) {
    const auto band = core::band(mask, seq_q, seq_kv);
    for (int first = 0; first < seq_q; ++first)
      for (int last = first; last < seq_q; ++last) {
        const auto together = device::visible_keys(band, first, last, seq_kv);
        for (int query = first; query <= last; ++query)
          for (int key = 0; key < seq_kv; ++key)
            if (visible(mask, query, key, seq_q, seq_kv)) {
              ASSERT_TRUE(together.contains(key));
            }
      }
  });
}

TEST(Band, ATilesKeysAreThoseOfTheRangeThatLieInIt) {
  constexpr int count = 4;
  for (int begin = 0; begin <= 12; ++begin)
    for (int end = begin; end <= 12; ++end)
      for (int first = 0; first <= 12; ++first) {
        const auto keys = device::keys_in_tile({begin, end}, first, count);
        for (int key = 0; key < count; ++key)
          ASSERT_EQ(keys.contains(key), first + key >= begin && first + key < end)
              << begin << ".." << end << " tile at " << first << " key " << key;
        ASSERT_GE(keys.begin, 0);
        ASSERT_LE(keys.end, count);
      }
}

TEST(Band, WindowsWiderThanAnySequenceDoNotOverflow) {
  constexpr auto huge = std::numeric_limits<std::int64_t>::max();
  const auto band = core::band({MaskKind::none, huge, huge}, 100, 200);
  const auto range = device::visible_keys(band, 50, 200);
  EXPECT_EQ(range.begin, 0);
  EXPECT_EQ(range.end, 200);
}

}  // namespace
}  // namespace flashcore
