#include "cpu/blocking.h"

#include <algorithm>

namespace flashcore::cpu {

using core::Dtype;
using core::Problem;

namespace {

constexpr std::int64_t most_rows = 144;       // scratch of an item stays within a common L2
constexpr std::int64_t items_per_thread = 4;  // enough to even out masks and busy cores
constexpr std::size_t cache_line = 64;

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

std::int64_t divide_up(std::int64_t value, std::int64_t divisor) {
  return (value + divisor - 1) / divisor;
}

/// A block of K and one of V together take 128 KiB at head_dim 128; longer rows get fewer keys.
std::int64_t keys_per_block(std::int64_t head_dim) {
  return head_dim <= 256 ? 128 : head_dim <= 1024 ? 64 : 32;
}

void split_rows(const Problem& p, std::int64_t rows, Blocking& blocking) {
  blocking.rows = rows;
  blocking.queries_per_item = std::min(p.seq_q, rows);
  blocking.query_blocks = divide_up(p.seq_q, blocking.queries_per_item);
  blocking.heads_per_item =
      std::clamp<std::int64_t>(rows / blocking.queries_per_item, 1, p.group_size());
  blocking.head_chunks = divide_up(p.group_size(), blocking.heads_per_item);
  blocking.items = p.batch * p.heads_kv * blocking.head_chunks * blocking.query_blocks;
}

}  // namespace

Blocking make_blocking(const Problem& p, SimdShape simd, int threads) {
  Blocking blocking;
  blocking.panel_rows = simd.panel_rows;
  blocking.block_kv = keys_per_block(p.head_dim);
  blocking.padded_dim = round_up(p.head_dim, simd.lanes);
  const bool widen = p.dtype != Dtype::float32;
  blocking.pack_k = widen || p.k_strides.seq != p.head_dim;
  // V is read in whole vectors, which must not reach past its last row.
  blocking.pack_v = widen || p.v_strides.seq != p.head_dim || p.head_dim != blocking.padded_dim;
  // Fewer rows per item, down to one panel, until every thread finds several items.
  std::int64_t rows = std::max(most_rows / simd.panel_rows, std::int64_t{1}) * simd.panel_rows;
  split_rows(p, rows, blocking);
  while (blocking.items < items_per_thread * threads && rows > simd.panel_rows) {
    rows -= simd.panel_rows;
    split_rows(p, rows, blocking);
  }
  return blocking;
}

Item item_at(const Problem& p, const Blocking& blocking, std::int64_t index) {
  // Later queries see more keys under a causal mask: the longest items of a head go first.
  const std::int64_t query_block = blocking.query_blocks - 1 - index % blocking.query_blocks;
  index /= blocking.query_blocks;
  const std::int64_t chunk = index % blocking.head_chunks;
  index /= blocking.head_chunks;
  Item item{};
  item.kv_head = index % p.heads_kv;
  item.batch = index / p.heads_kv;
  const std::int64_t head_in_group = chunk * blocking.heads_per_item;
  item.first_head = item.kv_head * p.group_size() + head_in_group;
  item.heads = std::min(blocking.heads_per_item, p.group_size() - head_in_group);
  item.first_query = query_block * blocking.queries_per_item;
  item.queries = std::min(blocking.queries_per_item, p.seq_q - item.first_query);
  return item;
}

namespace {

/// Hands out consecutive arrays, each on a cache line of its own. From null it only measures.
class Carver {
 public:
  explicit Carver(std::byte* memory) : memory_(memory) {}

  template <typename T>
  T* take(std::int64_t count) {
    T* array = memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + used_);
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    used_ += (bytes + cache_line - 1) / cache_line * cache_line;
    return array;
  }
  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  std::byte* memory_;
  std::size_t used_ = 0;
};

Scratch carve(const Problem& p, const Blocking& b, Carver& carver) {
  Scratch scratch{};
  scratch.queries = carver.take<float>(b.rows * p.head_dim);
  scratch.out = carver.take<float>(b.rows * b.padded_dim);
  scratch.keys = carver.take<float>(b.pack_k ? b.block_kv * b.padded_dim : 0);
  scratch.values = carver.take<float>(b.pack_v ? b.block_kv * b.padded_dim : 0);
  scratch.scores = carver.take<float>(b.block_kv * b.panel_rows);
  scratch.row_max = carver.take<float>(b.rows);
  scratch.row_sum = carver.take<float>(b.rows);
  scratch.rescale = carver.take<float>(b.panel_rows);
  scratch.visible = carver.take<device::KeyRange>(b.rows);
  return scratch;
}

}  // namespace

std::size_t scratch_bytes(const Problem& problem, const Blocking& blocking) {
  Carver carver(nullptr);
  carve(problem, blocking, carver);
  return carver.used();
}

Scratch make_scratch(const Problem& problem, const Blocking& blocking, std::byte* memory) {
  Carver carver(memory);
  return carve(problem, blocking, carver);
}

}  // namespace flashcore::cpu
