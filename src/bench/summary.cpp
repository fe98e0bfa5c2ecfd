#include "bench/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace flashcore::bench {

std::vector<PeerSummary> summarize_peers(std::span<const gate::CaseRecord> records) {
  std::vector<PeerSummary> summaries;  // mean_ratio holds the sum of logarithms until the end
  const auto find = [&](const std::string& variant, const std::string& peer) -> PeerSummary& {
    for (PeerSummary& each : summaries)
      if (each.variant == variant && each.peer == peer) return each;
    return summaries.emplace_back(
        PeerSummary{.variant = variant, .peer = peer, .worst_problem = ""});
  };
  for (const gate::CaseRecord& record : records)
    for (const gate::PeerRecord& peer : record.peers) {
      if (!peer.comparison) continue;
      const double ratio = peer.comparison->ratio.median;
      PeerSummary& summary = find(record.variant, fmt::format("{} {}", peer.name, peer.backend));
      ++summary.cells;
      summary.mean_ratio += std::log(ratio);
      if (ratio <= summary.worst_ratio) continue;
      summary.worst_ratio = ratio;
      summary.worst_problem = record.problem.to_string();
    }
  for (PeerSummary& summary : summaries)
    summary.mean_ratio = std::exp(summary.mean_ratio / summary.cells);
  return summaries;
}

nlohmann::json summary_to_json(std::span<const PeerSummary> summaries) {
  nlohmann::json result = nlohmann::json::array();
  for (const PeerSummary& summary : summaries)
    result.push_back({{"variant", summary.variant},
                      {"peer", summary.peer},
                      {"cells", summary.cells},
                      {"geometric_mean_ratio", summary.mean_ratio},
                      {"worst_ratio", summary.worst_ratio},
                      {"worst_problem", summary.worst_problem}});
  return result;
}

}  // namespace flashcore::bench
