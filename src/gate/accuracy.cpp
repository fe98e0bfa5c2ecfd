#include "gate/accuracy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/half.h"

namespace flashcore::gate {

using core::Dtype;
using core::HostCall;
using core::Problem;
using cpu::OracleResult;

namespace {

/// Rows with this many keys or more must also keep the absolute bound on N(0,1) inputs.
constexpr std::int64_t keys_for_absolute_bound = 128;

/// A log-sum-exp is fp32 in every dtype; approximate exponentials and logarithms stay far below.
constexpr double lse_tolerance = 1e-5;

/// The distance between neighbouring values of the dtype at this magnitude.
double unit_in_last_place(Dtype dtype, double magnitude) {
  const int fraction_bits = dtype == Dtype::float16 ? 10 : dtype == Dtype::bfloat16 ? 7 : 23;
  const int smallest_exponent = dtype == Dtype::float16 ? -14 : -126;
  const int exponent =
      magnitude > 0 ? std::max(std::ilogb(magnitude), smallest_exponent) : smallest_exponent;
  return std::ldexp(1.0, exponent - fraction_bits);
}

double largest_finite(const core::HostTensor& tensor) {
  double largest = 0;
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    const double magnitude = std::abs(static_cast<double>(tensor.at(i)));
    if (std::isfinite(magnitude)) largest = std::max(largest, magnitude);
  }
  return largest;
}

/// max |a - b| over the elements where both are finite.
double max_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::isfinite(a[i]) && std::isfinite(b[i]))
      largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

/// Walks the results of one call beside the oracle's.
class Comparison {
 public:
  Comparison(const HostCall& call, const Reference& reference, bool lse_written, bool normal_inputs)
      : call_(call),
        problem_(call.problem),
        expected_(reference.expected),
        plain_(reference.plain),
        lse_written_(lse_written),
        normal_inputs_(normal_inputs),
        finest_unit_(unit_in_last_place(Dtype::float32, largest_finite(call.v))),
        plain_lse_error_(max_difference(plain_.lse, expected_.lse)) {
    result_.plain_error = max_difference(plain_.o, expected_.o);
  }

  Accuracy run() {
    std::size_t row = 0;
    for (std::int64_t b = 0; b < problem_.batch; ++b)
      for (std::int64_t h = 0; h < problem_.heads_q; ++h)
        for (std::int64_t query = 0; query < problem_.seq_q; ++query, ++row) {
          compare_row(b, h, query, row);
          if (lse_written_) compare_lse(b, h, query, row);
        }
    result_.correct = result_.reason.empty();
    return result_;
  }

 private:
  void compare_row(std::int64_t b, std::int64_t h, std::int64_t query, std::size_t row) {
    const auto keys = device::visible_keys(problem_.band(), query, problem_.seq_kv);
    const bool many_keys = keys.end - keys.begin >= keys_for_absolute_bound;
    const auto& strides = problem_.o_strides;
    const std::int64_t start = b * strides.batch + h * strides.head + query * strides.seq;
    const std::size_t dense = row * static_cast<std::size_t>(problem_.head_dim);
    for (std::int64_t d = 0; d < problem_.head_dim; ++d) {
      const std::size_t i = dense + static_cast<std::size_t>(d);
      const double got = static_cast<double>(call_.o.at(start + d));
      const double want = expected_.o[i];
      double bound = contract_bound(want);
      if (normal_inputs_ && many_keys) bound = std::min(bound, absolute_bound(problem_.dtype));
      if (std::isfinite(want) && !std::isfinite(plain_.o[i]))
        bound = std::numeric_limits<double>::infinity();  // fp32 itself overflows on this input
      else if (std::isinf(expected_.lse[row]))
        bound = 0;  // fully masked
      const auto where = [&] { return fmt::format("o[{}, {}, {}, {}]", b, h, query, d); };
      compare(where, got, want, bound, result_.max_error);
    }
  }

  void compare_lse(std::int64_t b, std::int64_t h, std::int64_t query, std::size_t row) {
    const auto& strides = problem_.lse_strides;
    const double got = static_cast<double>(call_.lse[static_cast<std::size_t>(
        b * strides.batch + h * strides.head + query * strides.seq)]);
    const double want = expected_.lse[row];
    const auto where = [&] { return fmt::format("lse[{}, {}, {}]", b, h, query); };
    if (std::isinf(want)) {  // fully masked
      if (got != want) note(fmt::format("{} is {}, the row is fully masked", where(), got));
      return;
    }
    double bound = 2 * plain_lse_error_ + lse_tolerance * std::max(1.0, std::abs(want));
    if (std::isfinite(want) && !std::isfinite(plain_.lse[row]))
      bound = std::numeric_limits<double>::infinity();
    compare(where, got, want, bound, result_.max_lse_error);
  }

  /// The terms p·v are added in fp32 whatever the dtype, so no bound is finer than the unit of the
  /// largest v: an output that cancels to almost nothing still carries its terms' rounding.
  [[nodiscard]] double contract_bound(double want) const {
    return 2 * result_.plain_error +
           std::max(unit_in_last_place(problem_.dtype, std::abs(want)), finest_unit_);
  }

  template <typename Where>
  void compare(const Where& where, double got, double want, double bound, double& largest) {
    if (!std::isfinite(want)) {
      if (std::isfinite(got)) note(fmt::format("{} is {}, the oracle has {}", where(), got, want));
      return;
    }
    const double error = std::abs(got - want);
    if (std::isinf(bound)) return;
    if (!std::isfinite(got)) {
      result_.finite = false;
      note(fmt::format("{} is {}, the oracle has {:.9g}", where(), got, want));
      return;
    }
    largest = std::max(largest, error);
    if (error > bound)
      note(fmt::format("{} is {:.9g}, the oracle has {:.9g}: off by {:.3g}, bound {:.3g}", where(),
                       got, want, error, bound));
  }

  void note(std::string reason) {
    if (result_.reason.empty()) result_.reason = std::move(reason);
  }

  const HostCall& call_;
  const Problem& problem_;
  const OracleResult& expected_;
  const OracleResult& plain_;
  bool lse_written_;
  bool normal_inputs_;
  double finest_unit_;
  double plain_lse_error_;
  Accuracy result_;
};

}  // namespace

double absolute_bound(Dtype dtype) {
  switch (dtype) {
    case Dtype::float16: return 1e-3;
    case Dtype::bfloat16: return 8e-3;
    case Dtype::float32: break;
  }
  return std::numeric_limits<double>::infinity();
}

Reference reference_of(HostCall& call) {
  return {cpu::oracle(call.problem, call.arguments()), cpu::plain(call.problem, call.arguments())};
}

Accuracy check_accuracy(const HostCall& call, const Reference& reference, bool lse_written,
                        bool normal_inputs) {
  return Comparison(call, reference, lse_written, normal_inputs).run();
}

Accuracy check_accuracy(HostCall& call, bool lse_written, bool normal_inputs) {
  return check_accuracy(call, reference_of(call), lse_written, normal_inputs);
}

}  // namespace flashcore::gate
