#include "cpu/oracle.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/half.h"

namespace flashcore::cpu {

using core::Arguments;
using core::MaskKind;
using core::Problem;
using core::Strides;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The mask, straight from the contract and not from the band that the kernels use.
bool visible(const Problem& p, std::int64_t query, std::int64_t key) {
  const std::int64_t diagonal =
      p.mask.kind == MaskKind::causal_top_left ? query : query + p.seq_kv - p.seq_q;
  if (p.mask.kind != MaskKind::none && key > diagonal) return false;
  if (p.mask.window_left >= 0 && key < diagonal - p.mask.window_left) return false;
  if (p.mask.window_right >= 0 && key > diagonal + p.mask.window_right) return false;
  return true;
}

template <typename T>
const T* row_of(const void* data, const Strides& strides, std::int64_t b, std::int64_t h,
                std::int64_t s) {
  return static_cast<const T*>(data) + b * strides.batch + h * strides.head + s * strides.seq;
}

/// Writes one output row from its scores (-inf where masked) and returns its log-sum-exp. `Real` is
/// the precision of the arithmetic, `round` what a probability and an output pass through.
template <typename Real, typename T, typename Round>
double attend_row(const Problem& p, const Arguments& a, std::int64_t b, std::int64_t h,
                  std::int64_t query, std::vector<Real>& scores, double* out, Round round) {
  const std::int64_t kv_head = h / p.group_size();
  const T* q = row_of<T>(a.q, p.q_strides, b, h, query);
  Real largest = -std::numeric_limits<Real>::infinity();
  bool any_visible = false;
  for (std::int64_t key = 0; key < p.seq_kv; ++key) {
    Real& score = scores[static_cast<std::size_t>(key)];
    score = -std::numeric_limits<Real>::infinity();
    if (!visible(p, query, key)) continue;
    const T* k = row_of<T>(a.k, p.k_strides, b, kv_head, key);
    Real dot = 0;
    for (std::int64_t d = 0; d < p.head_dim; ++d)
      dot += static_cast<Real>(core::to_float(q[d])) * static_cast<Real>(core::to_float(k[d]));
    score = dot * static_cast<Real>(a.scale);
    largest = std::max(largest, score);
    any_visible = true;
  }
  std::fill(out, out + p.head_dim, 0.0);
  if (!any_visible) return -infinity;

  Real sum = 0;
  for (std::int64_t key = 0; key < p.seq_kv; ++key)
    if (visible(p, query, key)) sum += std::exp(scores[static_cast<std::size_t>(key)] - largest);
  std::vector<Real> accumulated(static_cast<std::size_t>(p.head_dim), Real{0});
  for (std::int64_t key = 0; key < p.seq_kv; ++key) {
    if (!visible(p, query, key)) continue;
    const Real probability = round(std::exp(scores[static_cast<std::size_t>(key)] - largest) / sum);
    const T* v = row_of<T>(a.v, p.v_strides, b, kv_head, key);
    for (std::int64_t d = 0; d < p.head_dim; ++d)
      accumulated[static_cast<std::size_t>(d)] +=
          probability * static_cast<Real>(core::to_float(v[d]));
  }
  for (std::int64_t d = 0; d < p.head_dim; ++d)
    out[d] = static_cast<double>(round(accumulated[static_cast<std::size_t>(d)]));
  return static_cast<double>(largest) + std::log(static_cast<double>(sum));
}

template <typename Real, typename T, typename Round>
OracleResult attend(const Problem& p, const Arguments& a, Round round) {
  const auto rows = static_cast<std::size_t>(p.batch * p.heads_q * p.seq_q);
  OracleResult result{std::vector<double>(rows * static_cast<std::size_t>(p.head_dim)),
                      std::vector<double>(rows)};
  std::vector<Real> scores(static_cast<std::size_t>(p.seq_kv));
  std::size_t row = 0;
  for (std::int64_t b = 0; b < p.batch; ++b)
    for (std::int64_t h = 0; h < p.heads_q; ++h)
      for (std::int64_t query = 0; query < p.seq_q; ++query, ++row)
        result.lse[row] =
            attend_row<Real, T>(p, a, b, h, query, scores,
                                &result.o[row * static_cast<std::size_t>(p.head_dim)], round);
  return result;
}

}  // namespace

OracleResult oracle(const Problem& problem, const Arguments& arguments) {
  return core::visit_storage(problem.dtype, [&]<typename T>(T) {
    return attend<double, T>(problem, arguments, [](double value) { return value; });
  });
}

OracleResult plain(const Problem& problem, const Arguments& arguments) {
  return core::visit_storage(problem.dtype, [&]<typename T>(T) {
    return attend<float, T>(problem, arguments,
                            [](float value) { return core::to_float(core::from_float<T>(value)); });
  });
}

}  // namespace flashcore::cpu
