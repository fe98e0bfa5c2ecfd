// Checking a large call against the oracle in reasonable time: blocks of query rows, drawn by seed.
#pragma once

#include <cstdint>
#include <vector>

#include "core/host_tensor.h"
#include "gate/accuracy.h"

namespace flashcore::gate {

/// What to look at of a call, and what that is held to: all of it where its multiply-adds fit the
/// budget, otherwise blocks of rows that use the budget up, each a smaller Problem with the same
/// answer.
class Sample {
 public:
  /// Of the call's inputs: the same sample serves every result on them.
  Sample(core::HostCall& call, std::uint64_t seed, double budget);

  /// As check_accuracy. The reason of a failure in a block names the block's place.
  [[nodiscard]] Accuracy check(const core::HostCall& call, bool normal_inputs) const;

 private:
  struct Place {
    std::int64_t batch, head, first;
  };
  [[nodiscard]] Accuracy worst_of(const std::vector<Accuracy>& accuracies) const;

  std::int64_t rows_ = 0;              // of a block
  std::vector<Place> places_;          // of the blocks; none: the whole call
  std::vector<Reference> references_;  // for each block, or for the whole call
};

/// The same for one result alone.
Accuracy check_sampled(core::HostCall& call, bool normal_inputs, std::uint64_t seed, double budget);

/// Rows [first, first + rows) of one (batch, query head) as a call of their own, with its results.
/// Under a causal mask the keys behind the last row's diagonal, which no row sees, are left off:
/// that puts the block's bottom-right diagonal where the whole Problem's diagonal is. So the last
/// row's diagonal must not lie behind the last key (top-left), and where a window stands alone, the
/// rows must be the Problem's last.
core::HostCall extract_rows(const core::HostCall& call, std::int64_t batch, std::int64_t head,
                            std::int64_t first, std::int64_t rows);

}  // namespace flashcore::gate
