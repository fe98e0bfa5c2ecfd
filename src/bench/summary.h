// Many cases in one line for each peer.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "gate/record.h"

namespace flashcore::bench {

/// One variant against one peer, over the cases where both were measured.
struct PeerSummary {
  std::string variant;
  std::string peer;  // "torch_sdpa flash"
  int cells = 0;
  double mean_ratio = 0;   // geometric, of our time over theirs: below 1 is faster
  double worst_ratio = 0;  // the largest, and where
  std::string worst_problem;
};

/// In the order in which variants and peers first appear.
std::vector<PeerSummary> summarize_peers(std::span<const gate::CaseRecord> records);

nlohmann::json summary_to_json(std::span<const PeerSummary> summaries);

}  // namespace flashcore::bench
