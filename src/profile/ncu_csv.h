// What Nsight Compute prints with `--csv --page raw`: a header row, a row of units, a row for each
// kernel; between them whatever else it and the program say.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace flashcore::profile {

/// One launch as ncu measured it.
struct KernelSample {
  std::string name;
  std::string grid, block;                // as "(128, 1, 1)"; empty where not told
  std::map<std::string, double> metrics;  // those that have a number, in base units
};

/// The fields of one CSV line; quotes may hold commas, and double themselves.
std::vector<std::string> split_csv(std::string_view line);

/// Throws invalid_argument where there is no header, a row is shorter or longer than it, or no row
/// follows.
std::vector<KernelSample> parse_ncu_csv(const std::string& output);

}  // namespace flashcore::profile
