// Which keys a query may see. Every mask of the API is a band around a diagonal: query row i sees
// the keys j with i + low <= j <= i + high. Shared by the kernels, the dispatcher and the CPU
// backend, so that a mask means the same everywhere.
#pragma once

namespace flashcore::device {

struct Band {
  long long low;   // offset from the query's row to its first visible key, may be negative
  long long high;  // offset from the query's row to its last visible key, inclusive
};

/// Stands for "no limit": far outside any sequence, and i + unlimited cannot overflow.
inline constexpr long long band_unlimited = 1LL << 60;

/// Keys [begin, end); empty where begin == end.
struct KeyRange {
  long long begin;
  long long end;
  constexpr bool contains(long long key) const { return key >= begin && key < end; }
  constexpr bool empty() const { return begin >= end; }
};

/// Where the keys that a row sees begin and end, before it is known whether there are any.
constexpr long long visible_begin(Band band, long long row) {
  const long long lowest = row + band.low;
  return lowest > 0 ? lowest : 0;
}
constexpr long long visible_end(Band band, long long row, long long seq_kv) {
  const long long highest = row + band.high + 1;
  return highest < seq_kv ? highest : seq_kv;
}

/// The keys that the rows [first_row, last_row] see between them, clamped to [0, seq_kv).
constexpr KeyRange visible_keys(Band band, long long first_row, long long last_row,
                                long long seq_kv) {
  const long long begin = visible_begin(band, first_row);
  const long long end = visible_end(band, last_row, seq_kv);
  return begin < end ? KeyRange{begin, end} : KeyRange{0, 0};
}

/// The keys that one row sees.
constexpr KeyRange visible_keys(Band band, long long row, long long seq_kv) {
  return visible_keys(band, row, row, seq_kv);
}

/// Part of a tile's keys, counted from the tile's first.
struct TileKeys {
  int begin;
  int end;
  constexpr bool contains(int key) const { return key >= begin && key < end; }
};

/// What of `keys` lies among the `count` keys from first_key on.
constexpr TileKeys keys_in_tile(KeyRange keys, long long first_key, int count) {
  const long long begin = keys.begin - first_key;
  const long long end = keys.end - first_key;
  return {.begin = begin < 0       ? 0
                   : begin > count ? count
                                   : static_cast<int>(begin),
          .end = end < 0       ? 0
                 : end > count ? count
                               : static_cast<int>(end)};
}

}  // namespace flashcore::device
