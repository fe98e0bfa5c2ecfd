#include "core/mask.h"

#include <gtest/gtest.h>

#include <limits>

namespace flashcore::core {
namespace {

/// The contract's words, key by key.
bool visible(const Mask& mask, std::int64_t seq_q, std::int64_t seq_kv, std::int64_t query,
             std::int64_t key) {
  const std::int64_t diagonal =
      mask.kind == MaskKind::causal_top_left ? query : query + seq_kv - seq_q;
  const bool causal = mask.kind == MaskKind::none || key <= diagonal;
  const bool left = mask.window_left < 0 || diagonal - key <= mask.window_left;
  const bool right = mask.window_right < 0 || key - diagonal <= mask.window_right;
  return causal && left && right;
}

TEST(Band, ShowsEveryRowExactlyTheKeysOfTheContract) {
  for (const MaskKind kind : all_mask_kinds)
    for (std::int64_t left = -1; left <= 4; ++left)
      for (std::int64_t right = -1; right <= 4; ++right)
        for (std::int64_t seq_q = 1; seq_q <= 6; ++seq_q)
          for (std::int64_t seq_kv = 0; seq_kv <= 6; ++seq_kv) {
            const Mask mask{kind, left, right};
            const device::Band keys = band(mask, seq_q, seq_kv);
            for (std::int64_t query = 0; query < seq_q; ++query)
              for (std::int64_t key = 0; key < seq_kv; ++key)
                ASSERT_EQ(device::visible_keys(keys, query, seq_kv).contains(key),
                          visible(mask, seq_q, seq_kv, query, key))
                    << name(kind) << " window " << left << "," << right << " lengths " << seq_q
                    << "," << seq_kv << " at " << query << "," << key;
          }
}

TEST(Band, HugeWindowsAreNoLimitAndDoNotOverflow) {
  constexpr std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  const device::Band keys = band({MaskKind::none, huge, huge}, 5, 9);
  for (std::int64_t query = 0; query < 5; ++query) {
    EXPECT_EQ(device::visible_keys(keys, query, 9).begin, 0);
    EXPECT_EQ(device::visible_keys(keys, query, 9).end, 9);
  }
}

TEST(MaskKind, NamesReadBack) {
  for (const MaskKind kind : all_mask_kinds) EXPECT_EQ(mask_kind_from_name(name(kind)), kind);
  EXPECT_EQ(mask_kind_from_name("causal"), std::nullopt);
}

}  // namespace
}  // namespace flashcore::core
