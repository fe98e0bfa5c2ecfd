#include "core/normal.h"

#include <cmath>
#include <numbers>

namespace flashcore::core {

/// Newton's method on ln P(X < x) = ln p, which is nearly a parabola in the tail: from
/// -sqrt(-2 ln p) on, it comes down to the root.
double normal_quantile(double p) {
  if (p > 0.5) return -normal_quantile(1 - p);
  double x = -std::sqrt(-2 * std::log(2 * p));
  for (int step = 0; step < 50; ++step) {
    const double below = 0.5 * std::erfc(-x * std::numbers::sqrt2 / 2);
    const double density = std::exp(-x * x / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
    const double change = std::log(below / p) * below / density;
    x -= change;
    if (std::abs(change) < 1e-14) break;
  }
  return x;
}

const NormalTable& NormalTable::shared() {
  static const NormalTable table;
  return table;
}

NormalTable::NormalTable() : values_(cells + 1) {
  for (std::uint32_t i = tail_cells; i <= cells - tail_cells; ++i)
    values_[i] = static_cast<float>(normal_quantile(static_cast<double>(i) / cells));
}

float NormalTable::tail(std::uint32_t bits) {
  return static_cast<float>(normal_quantile((static_cast<double>(bits) + 0.5) * 0x1p-32));
}

}  // namespace flashcore::core
