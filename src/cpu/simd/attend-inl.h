// Attention of one item: its rows against every block of keys that they see.

#if defined(FLASHCORE_CPU_ATTEND_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef FLASHCORE_CPU_ATTEND_INL_H
#undef FLASHCORE_CPU_ATTEND_INL_H
#else
#define FLASHCORE_CPU_ATTEND_INL_H
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "core/half.h"
#include "cpu/simd/softmax-inl.h"
#include "cpu/simd_kernel.h"

HWY_BEFORE_NAMESPACE();
namespace flashcore::cpu {
namespace HWY_NAMESPACE {

/// How a scale of any sign becomes a positive one: its sign goes into Q, where it costs nothing and
/// rounds nothing, so that the largest product is the largest score.
struct SplitScale {
  float query_factor;
  float base2;  // log2(e) included

  explicit SplitScale(float scale)
      : query_factor(scale < 0    ? -1.0F
                     : scale == 0 ? 0.0F
                                  : 1.0F),
        base2(scale == 0 ? 1.0F
                         : static_cast<float>(std::abs(static_cast<double>(scale)) *
                                              std::numbers::log2e)) {}
};

/// One item's computation. T is the tensors' element.
template <typename T>
class ItemKernel {
 public:
  ItemKernel(const Task& task, const Item& item, const Scratch& scratch)
      : problem_(*task.problem),
        arguments_(*task.arguments),
        blocking_(task.blocking),
        item_(item),
        scratch_(scratch),
        scale_(task.arguments->scale),
        rows_(item.rows()),
        padded_rows_((rows_ + panel_rows - 1) / panel_rows * panel_rows) {}

  void run() {
    find_visible_keys();
    pack_queries();
    std::fill(scratch_.out, scratch_.out + padded_rows_ * blocking_.padded_dim, 0.0F);
    std::fill(scratch_.row_sum, scratch_.row_sum + padded_rows_, 0.0F);
    std::fill(scratch_.row_max, scratch_.row_max + padded_rows_,
              -std::numeric_limits<float>::infinity());
    // Blocks start at multiples of block_kv, whichever the first visible key is: the order of a
    // row's additions must not depend on its neighbours.
    const std::int64_t step = blocking_.block_kv;
    for (std::int64_t first = seen_.begin / step * step; first < seen_.end; first += step)
      attend_block(first);
    write_rows();
  }

 private:
  template <typename Element>
  Element* row_at(Element* data, const core::Strides& strides, std::int64_t head,
                  std::int64_t seq) const {
    return data + item_.batch * strides.batch + head * strides.head + seq * strides.seq;
  }

  /// Rows after the last one, up to a whole panel, repeat it: their results are never written.
  void find_visible_keys() {
    const device::Band band = problem_.band();
    seen_ = {0, 0};
    for (std::int64_t row = 0; row < padded_rows_; ++row) {
      const std::int64_t query = item_.query_of(std::min(row, rows_ - 1));
      const device::KeyRange keys = device::visible_keys(band, query, problem_.seq_kv);
      scratch_.visible[row] = keys;
      if (keys.empty()) continue;
      seen_ = seen_.empty() ? keys
                            : device::KeyRange{std::min(seen_.begin, keys.begin),
                                               std::max(seen_.end, keys.end)};
    }
  }

  /// Q transposed into panels, [head_dim][panel_rows] each; rows after the last one are 0.
  void pack_queries() {
    const T* q = static_cast<const T*>(arguments_.q);
    float* const wide = scratch_.out;  // not in use yet
    for (std::int64_t row = 0; row < padded_rows_; ++row) {
      float* column =
          scratch_.queries + row / panel_rows * panel_rows * problem_.head_dim + row % panel_rows;
      if (row < rows_)
        widen_row(row_at(q, problem_.q_strides, item_.head_of(row), item_.query_of(row)),
                  problem_.head_dim, wide);
      const float factor = row < rows_ ? scale_.query_factor : 0.0F;
      for (std::int64_t d = 0; d < problem_.head_dim; ++d, column += panel_rows)
        *column = row < rows_ ? wide[d] * factor : 0.0F;
    }
  }

  /// A block's rows of K or V as fp32: in place, or widened into scratch.
  struct Rows {
    const float* data;
    std::int64_t stride;
  };

  Rows rows_of(const void* data, const core::Strides& strides, std::int64_t first, BlockRange range,
               bool pack, float* packed) const {
    const T* source = row_at(static_cast<const T*>(data), strides, item_.kv_head, first);
    if constexpr (std::is_same_v<T, float>)
      if (!pack) return {source, strides.seq};
    for (std::int64_t key = range.begin; key < range.end; ++key)
      widen_row(source + key * strides.seq, problem_.head_dim, packed + key * blocking_.padded_dim);
    return {packed, blocking_.padded_dim};
  }

  /// The part of a row's visible keys in the block that starts at `first`.
  BlockRange in_block(device::KeyRange keys, std::int64_t first) const {
    return {std::clamp<std::int64_t>(keys.begin - first, 0, blocking_.block_kv),
            std::clamp<std::int64_t>(keys.end - first, 0, blocking_.block_kv)};
  }

  void attend_block(std::int64_t first) {
    const BlockRange range = in_block(seen_, first);
    const Rows k =
        rows_of(arguments_.k, problem_.k_strides, first, range, blocking_.pack_k, scratch_.keys);
    const Rows v =
        rows_of(arguments_.v, problem_.v_strides, first, range, blocking_.pack_v, scratch_.values);
    for (std::int64_t row = 0; row < rows_; row += panel_rows) attend_panel(first, row, k, v);
  }

  void attend_panel(std::int64_t first, std::int64_t first_row, const Rows& k, const Rows& v) {
    BlockRange rows[panel_rows];
    BlockRange all{blocking_.block_kv, 0};
    BlockRange common{0, blocking_.block_kv};
    for (std::int64_t row = 0; row < panel_rows; ++row) {
      rows[row] = in_block(scratch_.visible[first_row + row], first);
      common = {std::max(common.begin, rows[row].begin), std::min(common.end, rows[row].end)};
      if (rows[row].begin < rows[row].end)
        all = {std::min(all.begin, rows[row].begin), std::max(all.end, rows[row].end)};
    }
    if (all.begin >= all.end) return;
    const std::int64_t live = std::min(rows_ - first_row, panel_rows);
    const int vectors = static_cast<int>((live + lanes - 1) / lanes);
    score_panel(k, all, first_row, vectors);
    if (common.begin != all.begin || common.end != all.end)
      mask_scores(scratch_.scores, all, rows, vectors);
    update_softmax(scratch_.scores, all, vectors, scale_.base2,
                   {scratch_.row_max + first_row, scratch_.row_sum + first_row, scratch_.rescale});
    add_panel(v, rows, first_row, live);
  }

  void score_panel(const Rows& k, BlockRange keys, std::int64_t first_row, int vectors) const {
    visit_vectors(vectors, [&]<int kVectors>() {
      score_keys<kVectors>(k.data + keys.begin * k.stride, k.stride, keys.end - keys.begin,
                           scratch_.queries + first_row * problem_.head_dim, problem_.head_dim,
                           scratch_.scores + keys.begin * panel_rows);
    });
  }

  /// out = out * rescale + P V for a panel's live rows. Strips of V stay in the first-level cache
  /// while the panel's tiles pass over them.
  void add_panel(const Rows& v, const BlockRange* rows, std::int64_t first_row,
                 std::int64_t live) const {
    float* const out = scratch_.out + first_row * blocking_.padded_dim;
    for (std::int64_t row = 0; row < live; ++row)
      if (scratch_.rescale[row] != 1.0F)
        scale_row(out + row * blocking_.padded_dim, blocking_.padded_dim, scratch_.rescale[row]);
    int vectors = 0;
    for (std::int64_t d = 0; d < blocking_.padded_dim; d += vectors * lanes) {
      const std::int64_t left = (blocking_.padded_dim - d) / lanes;
      // Two strips of two vectors keep the pipes fuller than one of three and one of one.
      vectors = left == 4 ? 2 : static_cast<int>(std::min<std::int64_t>(left, tile_vectors));
      visit_vectors(vectors, [&]<int kVectors>() {
        for (std::int64_t row = 0; row < live; row += tile_rows)
          add_values_of_tile<kVectors>(scratch_.scores + row, v.data + d, v.stride, rows + row,
                                       common_range(rows + row, live - row),
                                       out + row * blocking_.padded_dim + d, blocking_.padded_dim);
      });
    }
  }

  /// The keys that all rows of a tile see. A tile with few live rows goes row by row instead.
  static BlockRange common_range(const BlockRange* rows, std::int64_t live) {
    BlockRange common = rows[0];
    if (live <= 2) return {0, 0};
    for (int row = 1; row < tile_rows; ++row)
      common = {std::max(common.begin, rows[row].begin), std::min(common.end, rows[row].end)};
    return common;
  }

  void write_rows() const {
    for (std::int64_t row = 0; row < rows_; ++row) {
      const std::int64_t head = item_.head_of(row);
      const std::int64_t query = item_.query_of(row);
      const bool masked = scratch_.visible[row].empty();
      float* const out = scratch_.out + row * blocking_.padded_dim;
      if (masked) std::fill(out, out + blocking_.padded_dim, 0.0F);
      // Where every visible score is -inf the sum is 0, and 0 * (1 / 0) makes the row NaN.
      narrow_row(out, masked ? 1.0F : 1.0F / scratch_.row_sum[row], problem_.head_dim,
                 row_at(static_cast<T*>(arguments_.o), problem_.o_strides, head, query));
      if (arguments_.lse != nullptr)
        *row_at(arguments_.lse, problem_.lse_strides, head, query) = log_sum_exp(row, masked);
    }
  }

  [[nodiscard]] float log_sum_exp(std::int64_t row, bool masked) const {
    if (masked) return -std::numeric_limits<float>::infinity();
    const float sum = scratch_.row_sum[row];
    if (sum == 0) return std::numeric_limits<float>::quiet_NaN();
    return static_cast<float>(static_cast<double>(scratch_.row_max[row]) * std::numbers::ln2 +
                              std::log(static_cast<double>(sum)));
  }

  const core::Problem& problem_;
  const core::Arguments& arguments_;
  const Blocking& blocking_;
  const Item& item_;
  const Scratch& scratch_;
  SplitScale scale_;
  std::int64_t rows_;
  std::int64_t padded_rows_;
  device::KeyRange seen_{0, 0};  // by any row
};

inline void attend(const Task& task, const Item& item, const Scratch& scratch) {
  core::visit_storage(task.problem->dtype,
                      [&]<typename T>(T) { ItemKernel<T>(task, item, scratch).run(); });
}

inline SimdKernel kernel() {
  return {hwy::TargetName(HWY_TARGET), {lanes, panel_rows}, attend};
}

}  // namespace HWY_NAMESPACE
}  // namespace flashcore::cpu
HWY_AFTER_NAMESPACE();

#endif
