// Running a program under Nsight Compute.
#pragma once

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "profile/ncu_csv.h"

namespace flashcore::profile {

/// Why there are no counters: ncu is missing, the driver refuses, the program failed.
class NotMeasured : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// ncu in PATH or where CUDA and Nsight Compute install it. Throws NotMeasured naming the places.
std::filesystem::path find_ncu();

struct NcuRun {
  std::vector<KernelSample> samples;       // in the order of the launches
  std::vector<std::string> not_available;  // metrics that this ncu or GPU does not know
};

/// Runs the command under ncu with these metrics and leaves the clocks alone. What runs before the
/// command calls cuProfilerStart is not measured; where it never does, everything is. A metric that
/// ncu does not know is left out and the command run again. Throws NotMeasured.
NcuRun run_ncu(const std::filesystem::path& ncu, const std::vector<std::string>& command,
               std::vector<std::string> metrics, std::chrono::duration<double> limit);

}  // namespace flashcore::profile
