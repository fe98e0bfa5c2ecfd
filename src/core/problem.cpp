#include "core/problem.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <array>
#include <cmath>

namespace flashcore::core {

double Problem::flops() const {
  double pairs = 0;
  for (std::int64_t row = 0; row < seq_q; ++row) {
    const auto keys = device::visible_keys(band(), row, seq_kv);
    pairs += static_cast<double>(keys.end - keys.begin);
  }
  return 4.0 * static_cast<double>(batch * heads_q * head_dim) * pairs;
}

double Problem::bytes() const {
  const auto rows = static_cast<double>(2 * heads_q * seq_q + 2 * heads_kv * seq_kv);
  return rows * static_cast<double>(batch * head_dim) * static_cast<double>(size_of(dtype));
}

std::string Problem::to_string() const {
  std::string text =
      fmt::format("{} b={} h={} s={} d={}", name(dtype), batch, heads_q, seq_q, head_dim);
  if (heads_kv != heads_q) text += fmt::format(" hkv={}", heads_kv);
  if (seq_kv != seq_q) text += fmt::format(" skv={}", seq_kv);
  if (mask.kind != MaskKind::none) text += fmt::format(" mask={}", name(mask.kind));
  if (mask.window_left >= 0 || mask.window_right >= 0)
    text += fmt::format(" window={},{}", mask.window_left, mask.window_right);
  return text;
}

std::size_t hash(const Problem& p) {
  const std::array<std::int64_t, 26> words{static_cast<std::int64_t>(p.dtype),
                                           p.batch,
                                           p.heads_q,
                                           p.heads_kv,
                                           p.seq_q,
                                           p.seq_kv,
                                           p.head_dim,
                                           static_cast<std::int64_t>(p.mask.kind),
                                           p.mask.window_left,
                                           p.mask.window_right,
                                           p.q_strides.batch,
                                           p.q_strides.head,
                                           p.q_strides.seq,
                                           p.k_strides.batch,
                                           p.k_strides.head,
                                           p.k_strides.seq,
                                           p.v_strides.batch,
                                           p.v_strides.head,
                                           p.v_strides.seq,
                                           p.o_strides.batch,
                                           p.o_strides.head,
                                           p.o_strides.seq,
                                           p.lse_strides.batch,
                                           p.lse_strides.head,
                                           p.lse_strides.seq,
                                           p.alignment};
  return XXH3_64bits(words.data(), sizeof words);
}

float default_scale(std::int64_t head_dim) {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)));
}

Problem contiguous_problem(Dtype dtype, std::int64_t batch, std::int64_t heads_q,
                           std::int64_t heads_kv, std::int64_t seq_q, std::int64_t seq_kv,
                           std::int64_t head_dim, Mask mask, bool bshd) {
  Problem p{.dtype = dtype,
            .batch = batch,
            .heads_q = heads_q,
            .heads_kv = heads_kv < 0 ? heads_q : heads_kv,
            .seq_q = seq_q,
            .seq_kv = seq_kv < 0 ? seq_q : seq_kv,
            .head_dim = head_dim,
            .mask = mask};
  const auto strides = bshd ? bshd_strides : bhsd_strides;
  p.q_strides = p.o_strides = strides(p.heads_q, p.seq_q, head_dim);
  p.k_strides = p.v_strides = strides(p.heads_kv, p.seq_kv, head_dim);
  p.lse_strides = {p.heads_q * p.seq_q, p.seq_q, 1};
  const auto row_bytes = static_cast<std::size_t>(head_dim) * size_of(dtype);
  while (row_bytes % static_cast<std::size_t>(p.alignment) != 0) p.alignment /= 2;
  return p;
}

}  // namespace flashcore::core
