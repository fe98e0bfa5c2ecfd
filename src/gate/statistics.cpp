#include "gate/statistics.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace flashcore::gate {

double quantile(std::span<const double> samples, double q) {
  if (samples.empty()) core::fail(core::Status::internal, "statistics: no samples");
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  const double position = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double weight = position - static_cast<double>(below);
  return sorted[below] + weight * (sorted[above] - sorted[below]);
}

double median(std::span<const double> samples) {
  return quantile(samples, 0.5);
}

Summary summarize(std::span<const double> samples) {
  return {.median = median(samples),
          .min = quantile(samples, 0),
          .max = quantile(samples, 1),
          .p25 = quantile(samples, 0.25),
          .p75 = quantile(samples, 0.75),
          .samples = static_cast<int>(samples.size())};
}

std::vector<double> round_ratios(std::span<const double> first, std::span<const double> second) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(first.size(), second.size()); ++i)
    ratios.push_back(first[i] / second[i]);
  return ratios;
}

double median_error(std::span<const double> ratios) {
  const double middle = median(ratios);
  std::vector<double> deviations;
  for (const double ratio : ratios) deviations.push_back(std::abs(ratio - middle));
  constexpr double deviation_over_mad = 1.4826;      // for a normal distribution
  constexpr double median_over_mean_error = 1.2533;  // sqrt(pi / 2)
  const double standard_error = deviation_over_mad * median(deviations) * median_over_mean_error /
                                std::sqrt(static_cast<double>(ratios.size()));
  return 2 * standard_error / middle;
}

double noise_of(std::span<const double> first, std::span<const double> second) {
  const std::vector<double> ratios = round_ratios(first, second);
  return std::abs(median(ratios) - 1) + median_error(ratios);
}

}  // namespace flashcore::gate
