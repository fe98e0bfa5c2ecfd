#include "gate/sampling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "core/parallel.h"

namespace flashcore::gate {

using core::HostCall;
using core::HostTensor;
using core::MaskKind;
using core::Problem;
using core::Strides;

namespace {

constexpr std::int64_t rows_per_block = 16;

/// Copies `rows` rows, the first at element `begin`, from one tensor into the beginning of a dense
/// one.
void copy_rows(const HostTensor& from, const Strides& strides, std::int64_t begin,
               std::int64_t rows, std::int64_t head_dim, HostTensor& to) {
  const std::size_t size = core::size_of(from.dtype());
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t source = begin + row * strides.seq;
    std::memcpy(to.data() + static_cast<std::size_t>(row * head_dim) * size,
                from.data() + static_cast<std::size_t>(source) * size,
                static_cast<std::size_t>(head_dim) * size);
  }
}

std::int64_t draw_below(std::int64_t count, std::mt19937_64& generator) {
  return static_cast<std::int64_t>(generator() % static_cast<std::uint64_t>(count));
}

/// The first row that a block may have: see extract_rows.
std::int64_t draw_first(const Problem& p, std::int64_t rows, std::mt19937_64& generator) {
  const bool window_alone =
      p.mask.kind == MaskKind::none && (p.mask.window_left >= 0 || p.mask.window_right >= 0);
  const bool top_left = p.mask.kind == MaskKind::causal_top_left;
  const std::int64_t last = (top_left ? std::min(p.seq_q, p.seq_kv) : p.seq_q) - rows;
  return window_alone ? last : draw_below(last + 1, generator);
}

}  // namespace

HostCall extract_rows(const HostCall& call, std::int64_t batch, std::int64_t head,
                      std::int64_t first, std::int64_t rows) {
  const Problem& p = call.problem;
  Problem block = core::contiguous_problem(p.dtype, 1, 1, 1, rows, p.seq_kv, p.head_dim, p.mask);
  if (p.mask.kind != MaskKind::none) {
    const std::int64_t offset = p.mask.kind == MaskKind::causal_top_left ? 0 : p.seq_kv - p.seq_q;
    const std::int64_t keys = std::max<std::int64_t>(first + rows + offset, 0);
    block = core::contiguous_problem(
        p.dtype, 1, 1, 1, rows, keys, p.head_dim,
        {MaskKind::causal_bottom_right, p.mask.window_left, p.mask.window_right});
  }
  HostCall result{.problem = block,
                  .scale = call.scale,
                  .q = HostTensor(p.dtype, rows * p.head_dim),
                  .k = HostTensor(p.dtype, block.seq_kv * p.head_dim),
                  .v = HostTensor(p.dtype, block.seq_kv * p.head_dim),
                  .o = HostTensor(p.dtype, rows * p.head_dim),
                  .lse = std::vector<float>(static_cast<std::size_t>(rows))};
  const std::int64_t kv_head = head / p.group_size();
  copy_rows(call.q, p.q_strides, p.q_strides.offset(batch, head, first), rows, p.head_dim,
            result.q);
  copy_rows(call.o, p.o_strides, p.o_strides.offset(batch, head, first), rows, p.head_dim,
            result.o);
  copy_rows(call.k, p.k_strides, p.k_strides.offset(batch, kv_head, 0), block.seq_kv, p.head_dim,
            result.k);
  copy_rows(call.v, p.v_strides, p.v_strides.offset(batch, kv_head, 0), block.seq_kv, p.head_dim,
            result.v);
  for (std::int64_t row = 0; row < rows; ++row)
    result.lse[static_cast<std::size_t>(row)] =
        call.lse[static_cast<std::size_t>(p.lse_strides.offset(batch, head, first + row))];
  return result;
}

Sample::Sample(HostCall& call, std::uint64_t seed, double budget) {
  const Problem& p = call.problem;
  const double row_cost = static_cast<double>(p.seq_kv * p.head_dim);
  const double all_rows = static_cast<double>(p.batch * p.heads_q * p.seq_q);
  if (all_rows * row_cost <= budget) {
    references_.push_back(reference_of(call));
    return;
  }
  std::mt19937_64 generator(seed);
  rows_ = std::min({rows_per_block, p.seq_q, p.seq_kv});
  const auto blocks =
      static_cast<int>(std::max(1.0, budget / (row_cost * static_cast<double>(rows_))));
  for (int i = 0; i < blocks; ++i) {
    const std::int64_t batch = draw_below(p.batch, generator);
    const std::int64_t head = draw_below(p.heads_q, generator);
    places_.push_back({batch, head, draw_first(p, rows_, generator)});
  }
  references_.resize(places_.size());
  core::parallel_for(places_.size(), [&](std::size_t i) {
    HostCall block = extract_rows(call, places_[i].batch, places_[i].head, places_[i].first, rows_);
    references_[i] = reference_of(block);
  });
}

Accuracy Sample::check(const HostCall& call, bool normal_inputs) const {
  if (places_.empty()) return check_accuracy(call, references_.front(), true, normal_inputs);
  std::vector<Accuracy> accuracies(places_.size());
  core::parallel_for(places_.size(), [&](std::size_t i) {
    const HostCall block =
        extract_rows(call, places_[i].batch, places_[i].head, places_[i].first, rows_);
    accuracies[i] = check_accuracy(block, references_[i], true, normal_inputs);
  });
  return worst_of(accuracies);
}

/// The largest errors, and the reason of the first block that is incorrect.
Accuracy Sample::worst_of(const std::vector<Accuracy>& accuracies) const {
  Accuracy worst;
  worst.correct = true;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const Accuracy& accuracy = accuracies[i];
    worst.max_error = std::max(worst.max_error, accuracy.max_error);
    worst.plain_error = std::max(worst.plain_error, accuracy.plain_error);
    worst.max_lse_error = std::max(worst.max_lse_error, accuracy.max_lse_error);
    worst.finite = worst.finite && accuracy.finite;
    if (accuracy.correct || !worst.correct) continue;
    worst.correct = false;
    worst.reason = fmt::format("batch {}, head {}, rows from {}: {}", places_[i].batch,
                               places_[i].head, places_[i].first, accuracy.reason);
  }
  return worst;
}

Accuracy check_sampled(HostCall& call, bool normal_inputs, std::uint64_t seed, double budget) {
  return Sample(call, seed, budget).check(call, normal_inputs);
}

}  // namespace flashcore::gate
