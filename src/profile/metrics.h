// The figures that a profile reports: which of ncu's metrics give them, and what they mean.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "profile/ncu_csv.h"

namespace flashcore::profile {

/// A figure of a kernel. ncu's names differ between architectures: the first that has a number is
/// taken.
struct Figure {
  std::string_view key;    // in the JSON, "tensor_pipe_percent"
  std::string_view label;  // for people
  std::string_view unit;   // "%", "bytes", ""
  std::vector<std::string_view> metrics;
  double scale = 1;
};

/// In the order in which they are shown.
std::span<const Figure> figures();
const Figure& figure(std::string_view key);

std::optional<double> value_of(const Figure& figure, const KernelSample& sample);
std::optional<double> value_of(std::string_view key, const KernelSample& sample);

/// One sentence on what the value says of an attention kernel.
std::string meaning_of(std::string_view key, double value);

/// A reason for which warps wait. `per_issue`: warps that waited for it, for each instruction that
/// was issued.
struct Stall {
  std::string_view reason;   // "long_scoreboard"
  std::string_view meaning;  // what it is that a warp waits for
  double per_issue = 0;
};

/// What warps stalled for that reason wait for; empty for one that is not known.
std::string_view stall_meaning(std::string_view reason);

/// The reasons with a number above 0, the largest first, at most `most`.
std::vector<Stall> top_stalls(const KernelSample& sample, std::size_t most);

/// Every metric's name to ask ncu for.
std::vector<std::string> metric_names();

}  // namespace flashcore::profile
