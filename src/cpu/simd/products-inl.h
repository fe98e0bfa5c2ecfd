// The two products, as one register-blocked tile, and their loops over a panel.

#if defined(FLASHCORE_CPU_PRODUCTS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FLASHCORE_CPU_PRODUCTS_INL_H
#undef FLASHCORE_CPU_PRODUCTS_INL_H
#else
#define FLASHCORE_CPU_PRODUCTS_INL_H
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "cpu/simd/convert-inl.h"

HWY_BEFORE_NAMESPACE();
namespace flashcore::cpu {
namespace HWY_NAMESPACE {

// A tile's sums stay in registers: tile_rows * tile_vectors of them, beside tile_vectors of B and
// one of A. Enough independent sums to hide the latency of a multiply-add in both pipes.
#if HWY_TARGET == HWY_AVX3
inline constexpr int tile_rows = 8;
inline constexpr int tile_vectors = 3;
#elif HWY_TARGET == HWY_AVX2
inline constexpr int tile_rows = 4;
inline constexpr int tile_vectors = 3;
#elif HWY_TARGET == HWY_NEON
inline constexpr int tile_rows = 8;
inline constexpr int tile_vectors = 2;
#elif HWY_TARGET == HWY_SSE4
inline constexpr int tile_rows = 4;
inline constexpr int tile_vectors = 2;
#else
inline constexpr int tile_rows = 3;
inline constexpr int tile_vectors = 3;
#endif
inline constexpr std::int64_t panel_rows = tile_vectors * lanes;
static_assert(panel_rows % tile_rows == 0, "a panel is whole tiles of rows");

/// Calls visit.operator()<N>() for N = vectors, which is in [1, tile_vectors].
template <typename Visit>
HWY_INLINE void visit_vectors(int vectors, const Visit& visit) {
  if constexpr (tile_vectors >= 3)
    if (vectors == 3) return visit.template operator()<3>();
  if (vectors == 2) return visit.template operator()<2>();
  visit.template operator()<1>();
}

enum class Sums { fresh, continued };

/// C[row][...] = or += sum over `steps` of A(row, step) * B[step][...], where A(row, step) lies at
/// a[row * a_row + step * a_step]. Every element is one chain of multiply-adds in step order, so
/// its bits do not depend on the tile that it falls into.
template <int kRows, int kVectors, Sums kSums>
HWY_INLINE void multiply_tile(const float* HWY_RESTRICT a, std::int64_t a_row, std::int64_t a_step,
                              const float* HWY_RESTRICT b, std::int64_t b_step, std::int64_t steps,
                              float* HWY_RESTRICT c, std::int64_t c_row) {
  Vec sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v)
      sums[row][v] =
          kSums == Sums::fresh ? hn::Zero(f32) : hn::LoadU(f32, c + row * c_row + v * lanes);
  }
  for (std::int64_t step = 0; step < steps; ++step, a += a_step, b += b_step) {
    Vec r_b[kVectors];
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) r_b[v] = hn::LoadU(f32, b + v * lanes);
#pragma GCC unroll 8
    for (int row = 0; row < kRows; ++row) {
      const Vec r_a = hn::Set(f32, a[row * a_row]);
#pragma GCC unroll 8
      for (int v = 0; v < kVectors; ++v) sums[row][v] = hn::MulAdd(r_a, r_b[v], sums[row][v]);
    }
  }
#pragma GCC unroll 8
  for (int row = 0; row < kRows; ++row) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) hn::StoreU(sums[row][v], f32, c + row * c_row + v * lanes);
  }
}

/// scores[key][panel_rows] = K Q^T for `count` keys and kVectors vectors of a panel's rows. Lanes
/// are queries: K is read as it lies, and the softmax needs no sum across lanes.
template <int kVectors>
HWY_NOINLINE void score_keys(const float* keys, std::int64_t key_stride, std::int64_t count,
                             const float* queries, std::int64_t head_dim, float* scores) {
  const auto tile = [&]<int kRows>(std::int64_t key) {
    multiply_tile<kRows, kVectors, Sums::fresh>(keys + key * key_stride, key_stride, 1, queries,
                                                panel_rows, head_dim, scores + key * panel_rows,
                                                panel_rows);
  };
  std::int64_t key = 0;
  for (; key + tile_rows <= count; key += tile_rows) tile.template operator()<tile_rows>(key);
  if (key == count) return;
  if (count >= tile_rows) return tile.template operator()<tile_rows>(count - tile_rows);
  for (; key < count; ++key) tile.template operator()<1>(key);
}

/// Keys of a block, relative to its first.
struct BlockRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// out[kRows][...] += P V over the range, for kVectors vectors of head_dim. `probs` points at the
/// first row's column of the transposed panel.
template <int kRows, int kVectors>
HWY_INLINE void add_values(const float* probs, const float* values, std::int64_t value_stride,
                           BlockRange range, float* out, std::int64_t out_stride) {
  if (range.begin >= range.end) return;
  multiply_tile<kRows, kVectors, Sums::continued>(probs + range.begin * panel_rows, 1, panel_rows,
                                                  values + range.begin * value_stride, value_stride,
                                                  range.end - range.begin, out, out_stride);
}

/// The same for one tile of rows that see different keys: first what some see before the common
/// range, then the common range, then what some see after it. A key that a row does not see never
/// meets it, so a NaN in V stays where it belongs (0 * NaN would not be 0).
template <int kVectors>
HWY_NOINLINE void add_values_of_tile(const float* probs, const float* values,
                                     std::int64_t value_stride, const BlockRange* rows,
                                     BlockRange common, float* out, std::int64_t out_stride) {
  const auto edge = [&](int row, BlockRange range) {
    add_values<1, kVectors>(probs + row, values, value_stride, range, out + row * out_stride,
                            out_stride);
  };
  if (common.begin >= common.end) {
    for (int row = 0; row < tile_rows; ++row) edge(row, rows[row]);
    return;
  }
  for (int row = 0; row < tile_rows; ++row) edge(row, {rows[row].begin, common.begin});
  add_values<tile_rows, kVectors>(probs, values, value_stride, common, out, out_stride);
  for (int row = 0; row < tile_rows; ++row) edge(row, {common.end, rows[row].end});
}

}  // namespace HWY_NAMESPACE
}  // namespace flashcore::cpu
HWY_AFTER_NAMESPACE();

#endif
