// How the CPU backend cuts a Problem into work items, and one item's scratch memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/problem.h"

namespace flashcore::cpu {

/// What an instruction set's kernel works in: floats per vector, and query rows per panel, the unit
/// in which it computes scores.
struct SimdShape {
  std::int64_t lanes;
  std::int64_t panel_rows;
};

/// An item is the attention of some query rows that share one key head: a block of queries of one
/// query head or, where there are few queries, all queries of several heads of its group. A row's
/// arithmetic depends on block_kv alone, never on how rows are put into items, so the result has
/// the same bits for every thread count.
struct Blocking {
  std::int64_t panel_rows = 0;
  std::int64_t rows = 0;  // most rows of an item, a multiple of panel_rows
  std::int64_t block_kv = 0;
  std::int64_t padded_dim = 0;  // head_dim up to whole vectors
  std::int64_t heads_per_item = 1;
  std::int64_t queries_per_item = 1;
  std::int64_t query_blocks = 1;
  std::int64_t head_chunks = 1;  // of one group
  std::int64_t items = 0;
  bool pack_k = false;  // K and V are widened or gathered into scratch, not read in place
  bool pack_v = false;
};

Blocking make_blocking(const core::Problem& problem, SimdShape simd, int threads);

/// Which rows an item computes.
struct Item {
  std::int64_t batch, kv_head, first_head, heads, first_query, queries;

  [[nodiscard]] std::int64_t rows() const { return heads * queries; }
  [[nodiscard]] std::int64_t head_of(std::int64_t row) const { return first_head + row / queries; }
  [[nodiscard]] std::int64_t query_of(std::int64_t row) const {
    return first_query + row % queries;
  }
};

Item item_at(const core::Problem& problem, const Blocking& blocking, std::int64_t index);

/// One thread's scratch. Shapes are in floats.
struct Scratch {
  float* queries;  // [rows / panel_rows][head_dim][panel_rows]: Q transposed, sign of scale in it
  float* out;      // [rows][padded_dim]: O before it is divided by row_sum
  float* keys;     // [block_kv][padded_dim], where pack_k
  float* values;   // [block_kv][padded_dim], where pack_v
  float* scores;   // [block_kv][panel_rows]: scores, then probabilities, transposed
  float* row_max;  // [rows]: base 2, scale included
  float* row_sum;  // [rows]
  float* rescale;  // [panel_rows]: what a new maximum does to the older sums
  device::KeyRange* visible;  // [rows]
};

std::size_t scratch_bytes(const core::Problem& problem, const Blocking& blocking);
Scratch make_scratch(const core::Problem& problem, const Blocking& blocking, std::byte* memory);

}  // namespace flashcore::cpu
