// What the samples of a measurement say, without trusting the outliers among them.
#pragma once

#include <span>
#include <vector>

namespace flashcore::gate {

struct Summary {
  double median = 0;
  double min = 0;
  double max = 0;
  double p25 = 0;
  double p75 = 0;
  int samples = 0;

  bool operator==(const Summary&) const = default;
};

/// The q-quantile, 0 <= q <= 1, by linear interpolation. Throws internal for no samples.
double quantile(std::span<const double> samples, double q);
double median(std::span<const double> samples);

/// Throws internal for no samples.
Summary summarize(std::span<const double> samples);

/// first[i] / second[i]: two things measured next to each other share what the machine was doing.
std::vector<double> round_ratios(std::span<const double> first, std::span<const double> second);

/// How far the median of these ratios may be off, as a fraction of it: two standard errors.
double median_error(std::span<const double> ratios);

/// How far a median over rounds may be off, as a fraction, judged from the same thing measured
/// twice in every round: the bias between the two places in the round, plus the median's error.
double noise_of(std::span<const double> first, std::span<const double> second);

}  // namespace flashcore::gate
