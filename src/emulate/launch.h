// Runs a grid of an emulated kernel on all cores, with checks and counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cuda/kernel.h"
#include "emulate/counters.h"
#include "emulate/finding.h"
#include "host/module.h"

namespace flashcore::emulate {

/// Global memory that the call may touch.
struct Buffer {
  const void* base = nullptr;
  std::size_t bytes = 0;
  std::string name;      // "q"
  bool written = false;  // the kernel may write it
};

struct Options {
  std::uint64_t seed = 0;  // of the schedule; 0: copies land as late as the rules allow
  bool checks = true;      // without: no findings but deadlocks and divergence, no count by site
  std::vector<Buffer> buffers;
  std::string label;  // family and Config, for messages
  /// Called after each block, by several threads.
  std::function<void(unsigned done, unsigned blocks)> progress = {};
};

struct Report {
  std::vector<Finding> findings;    // by block, at most most_findings, one of a cluster
  std::uint64_t more_findings = 0;  // that are not listed
  Counts counts;
};

inline constexpr std::size_t most_findings = 20;

/// Returns when every block has ended, or its cluster was given up at the first finding. Launches
/// follow each other, those that may overlap too. The same seed gives
/// the same report. Throws invalid_argument where the module has another version or the shape is
/// not one that a GPU takes.
Report launch(const host::Module& module, const cuda::LaunchShape& shape, const void* params,
              const Options& options);

}  // namespace flashcore::emulate
