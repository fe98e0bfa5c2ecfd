// A Config to time a Problem under, as a line of text: "MASK SHAPE FAMILY CONFIG US".
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "core/problem.h"

namespace flashcore::bench {

struct ConfigLine {
  std::string mask, shape, family;
  std::string config;        // fields; those that it leaves out are the default Config's
  std::optional<double> us;  // of a cold call, once it was timed

  /// fp16. Throws invalid_argument naming what the line has wrong.
  [[nodiscard]] core::Problem problem() const;
  [[nodiscard]] bool same_problem(const ConfigLine& other) const {
    return mask == other.mask && shape == other.shape;
  }
  /// Without the time.
  [[nodiscard]] std::string text() const;
};

/// All of them, in their order. Words behind the Config that are no time are not looked at.
std::vector<ConfigLine> read_config_lines(std::istream& in);

}  // namespace flashcore::bench
