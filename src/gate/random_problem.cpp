#include "gate/random_problem.h"

#include <algorithm>
#include <array>

#include "core/error.h"

namespace flashcore::gate {

using core::Mask;
using core::Problem;
using core::Strides;

namespace {

/// SplitMix64 as a stream: the same seed draws the same Problem on every platform.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : state_(seed) {}

  /// Uniform in [low, high].
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(high - low + 1));
  }
  /// True once in `n`.
  bool one_in(std::int64_t n) { return between(1, n) == 1; }

  template <typename Range>
  auto pick(const Range& range) {
    return range[static_cast<std::size_t>(
        between(0, static_cast<std::int64_t>(std::size(range)) - 1))];
  }

 private:
  std::uint64_t next() {
    std::uint64_t x = state_ += 0x9E3779B97F4A7C15ULL;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
    return x ^ (x >> 31);
  }

  std::uint64_t state_;
};

/// A length in [1, max]; half of them lie on a tile's border or next to it, some are 1 as in
/// decoding.
std::int64_t draw_length(Draw& draw, std::int64_t max) {
  constexpr std::array<std::int64_t, 5> tiles{8, 16, 32, 64, 128};
  if (draw.one_in(12)) return 1;
  if (draw.one_in(2)) return draw.between(1, max);
  const std::int64_t tile = std::min(draw.pick(tiles), max);
  const std::int64_t border = tile * draw.between(1, max / tile);
  return std::clamp<std::int64_t>(border + draw.between(-1, 1), 1, max);
}

std::int64_t draw_head_dim(Draw& draw, const RandomLimits& limits) {
  constexpr std::array<std::int64_t, 6> usual{16, 32, 64, 80, 96, 128};
  const std::int64_t multiple = limits.head_dim_multiple;
  const std::int64_t most = limits.max_head_dim / multiple;
  const std::int64_t wanted = draw.one_in(2) ? draw.pick(usual) / multiple : draw.between(1, most);
  return std::clamp<std::int64_t>(wanted, 1, most) * multiple;
}

/// One side of a window: unlimited, a few keys, or anything up to the longer sequence.
std::int64_t draw_window(Draw& draw, std::int64_t longest) {
  switch (draw.between(0, 3)) {
    case 0: return -1;
    case 1: return draw.between(0, longest);
    default: return draw.between(0, 3);
  }
}

/// Half the masks leave some rows few keys or none: those are the cases that block sizes hide.
Mask draw_mask(Draw& draw, std::int64_t longest) {
  Mask mask{.kind = draw.pick(core::all_mask_kinds)};
  if (draw.one_in(2)) {
    mask.window_left = draw_window(draw, longest);
    mask.window_right = draw_window(draw, longest);
  }
  return mask;
}

/// BHSD, BSHD, or BHSD with gaps after every row, head and batch.
Strides draw_strides(Draw& draw, std::int64_t heads, std::int64_t seq, std::int64_t head_dim,
                     std::int64_t multiple) {
  switch (draw.between(0, 2)) {
    case 0: return core::bhsd_strides(heads, seq, head_dim);
    case 1: return core::bshd_strides(heads, seq, head_dim);
    default: break;
  }
  Strides strides;
  strides.seq = head_dim + multiple * draw.between(0, 3);
  strides.head = std::max<std::int64_t>(seq, 1) * strides.seq + multiple * draw.between(0, 3);
  strides.batch = heads * strides.head + multiple * draw.between(0, 3);
  return strides;
}

int alignment_of(const Problem& p) {
  int alignment = 16;
  const auto bytes = static_cast<std::int64_t>(core::size_of(p.dtype));
  for (const Strides& s : {p.q_strides, p.k_strides, p.v_strides, p.o_strides})
    for (const std::int64_t stride : {s.batch, s.head, s.seq})
      while (stride * bytes % alignment != 0) alignment /= 2;
  return alignment;
}

void check(const RandomLimits& limits) {
  const auto at_least_one = [](const char* field, std::int64_t value) {
    if (value < 1)
      core::fail(core::Status::invalid_argument, "random limits: {} is {}, at least 1 is needed",
                 field, value);
  };
  at_least_one("max_batch", limits.max_batch);
  at_least_one("max_heads_kv", limits.max_heads_kv);
  at_least_one("max_group", limits.max_group);
  at_least_one("max_seq", limits.max_seq);
  at_least_one("head_dim_multiple", limits.head_dim_multiple);
  at_least_one("number of dtypes", static_cast<std::int64_t>(limits.dtypes.size()));
  if (limits.max_head_dim < limits.head_dim_multiple)
    core::fail(core::Status::invalid_argument,
               "random limits: max_head_dim {} is below head_dim_multiple {}", limits.max_head_dim,
               limits.head_dim_multiple);
}

}  // namespace

Problem random_problem(std::uint64_t seed, const RandomLimits& limits) {
  check(limits);
  Draw draw(seed);
  Problem p;
  p.dtype = draw.pick(limits.dtypes);
  p.batch = draw.between(1, limits.max_batch);
  p.heads_kv = draw.between(1, limits.max_heads_kv);
  p.heads_q = p.heads_kv * draw.between(1, limits.max_group);
  p.seq_q = draw_length(draw, limits.max_seq);
  p.seq_kv = draw.one_in(3) ? p.seq_q : draw_length(draw, limits.max_seq);
  if (draw.one_in(16)) p.seq_kv = 0;
  p.head_dim = draw_head_dim(draw, limits);
  p.mask = draw_mask(draw, std::max(p.seq_q, p.seq_kv));
  const auto strides = [&](std::int64_t heads, std::int64_t seq) {
    return draw_strides(draw, heads, seq, p.head_dim, limits.head_dim_multiple);
  };
  p.q_strides = strides(p.heads_q, p.seq_q);
  p.k_strides = strides(p.heads_kv, p.seq_kv);
  p.v_strides = strides(p.heads_kv, p.seq_kv);
  p.o_strides = strides(p.heads_q, p.seq_q);
  p.lse_strides = draw_strides(draw, p.heads_q, p.seq_q, 1, 1);
  p.alignment = alignment_of(p);
  return p;
}

}  // namespace flashcore::gate
