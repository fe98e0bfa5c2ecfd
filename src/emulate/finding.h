// What a check found, and where.
#pragma once

#include <string>
#include <vector>

namespace flashcore::emulate {

/// A place in a kernel's source.
struct SourceLine {
  std::string text;            // "kernels/forward_mma/kernel.cuh:112"; empty: not named yet
  const void* code = nullptr;  // a return address that addr2line can name

  bool operator==(const SourceLine&) const = default;
};

enum class FindingKind {
  race,           // no barrier between two accesses of which one writes
  unwritten,      // shared memory that nothing has written is read
  pending_copy,   // an asynchronous copy has not been waited for
  out_of_bounds,  // outside every buffer, or a write to an input
  misaligned,
  divergence,  // lanes of a warp at different instructions, or some of them gone
  lifetime,    // shared memory of a block that may not have started, or may have ended
  barrier,     // arrivals and waits that do not add up
  deadlock,    // nobody can go on
};

struct Finding {
  /// A piece of the message, and the place that is named after it.
  struct Part {
    std::string text;
    SourceLine where = {};
  };

  FindingKind kind = FindingKind::race;
  std::string label;  // the launch's: family and Config
  long long block = 0;
  int thread = -1;   // -1: the whole block
  SourceLine where;  // what the thread was about to do
  std::vector<Part> parts;

  /// "forward_mma head_dim=64,…: block 3, thread 17, kernels/forward_mma/kernel.cuh:112: reads …"
  [[nodiscard]] std::string to_string() const;
};

/// Names the lines that are not named yet, as well as this machine can.
void name_lines(const std::vector<SourceLine*>& lines);
void name_lines(std::vector<Finding>& findings);

}  // namespace flashcore::emulate
