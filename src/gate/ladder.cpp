#include "gate/ladder.h"

#include <fmt/format.h>

#include <algorithm>

#include "dispatch/variants.h"
#include "gate/rules.h"

namespace flashcore::gate {

namespace {

/// Why there is no multiple to judge.
std::string why_not_compared(const CaseRecord& record) {
  for (const PeerRecord& peer : record.peers)
    if (peer.backend == ladder_peer && !peer.not_measured.empty())
      return fmt::format("SDPA's {} backend was not measured: {}", ladder_peer, peer.not_measured);
  if (record.timing)
    return fmt::format("SDPA's {} backend was not measured beside it", ladder_peer);
  const auto latency = record.gates.find("latency");
  return latency == record.gates.end() ? "nothing was timed" : latency->second.detail;
}

}  // namespace

const PeerRecord* find_peer(const CaseRecord& record, std::string_view backend) {
  const auto found = std::find_if(
      record.peers.begin(), record.peers.end(),
      [&](const PeerRecord& peer) { return peer.backend == backend && peer.comparison; });
  return found == record.peers.end() ? nullptr : &*found;
}

GateResult judge_ladder(const CaseRecord& record) {
  const PeerRecord* flash = find_peer(record, ladder_peer);
  if (flash == nullptr) return skipped(why_not_compared(record));
  const std::string detail =
      fmt::format("{:.2f} times {} {}", flash->comparison->ratio.median, flash->name, ladder_peer);
  const dispatch::Rung* rung = dispatch::find_rung(record.variant);
  if (rung == nullptr || rung->limit <= 0) return skipped("no limit for this rung; " + detail);
  return judge({{.what = "multiple_of_flash",
                 .measured = flash->comparison->ratio.median,
                 .limit = rung->limit,
                 .noise = flash->comparison->noise}},
               detail);
}

std::optional<double> cold_target_us(const CaseRecord& record) {
  if (!record.on_gpu()) return std::nullopt;
  if (record.gates.contains(std::string{ladder_gate})) {
    const dispatch::Rung* rung = dispatch::find_rung(record.variant);
    if (rung != nullptr && (rung->limit <= 0 || rung->limit > 1)) return std::nullopt;
  }
  return latency_target_us(record.problem);
}

}  // namespace flashcore::gate
