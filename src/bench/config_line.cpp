#include "bench/config_line.h"

#include <fmt/format.h>

#include <istream>
#include <sstream>

#include "bench/shape.h"

namespace flashcore::bench {

core::Problem ConfigLine::problem() const {
  return to_problem(parse_shape(shape), core::Dtype::float16, parse_mask(mask));
}

std::string ConfigLine::text() const {
  return fmt::format("{} {} {}{}{}", mask, shape, family, config.empty() ? "" : " ", config);
}

std::vector<ConfigLine> read_config_lines(std::istream& in) {
  std::vector<ConfigLine> lines;
  for (std::string text; std::getline(in, text);) {
    ConfigLine line;
    std::istringstream words(text);
    words >> line.mask >> line.shape >> line.family >> line.config;
    if (double us = 0; words >> us) line.us = us;
    lines.push_back(line);
  }
  return lines;
}

}  // namespace flashcore::bench
