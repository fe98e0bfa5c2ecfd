#include "gate/latency.h"

#include <fmt/format.h>

#include "gate/ladder.h"
#include "gate/rules.h"

namespace flashcore::gate {

namespace {

std::string describe(const CaseRecord& record) {
  std::string text = fmt::format("cold {:.2f} us", record.timing->cold.median);
  if (record.best_peer)
    text +=
        fmt::format(", {:.2f} times {}", record.best_peer->ratio.median, record.best_peer->peer);
  for (const PeerRecord& peer : record.peers)
    if (!peer.timing)
      text += fmt::format("; {} {} not measured: {}", peer.name, peer.backend, peer.not_measured);
  return text;
}

}  // namespace

GateResult judge_latency(const CaseRecord& record, int incorrect_timed_outputs,
                         const LatencyTargets& targets) {
  if (!record.timing) return skipped("nothing was timed");
  std::vector<Check> checks{
      {.what = "incorrect_timed_outputs", .measured = static_cast<double>(incorrect_timed_outputs)},
      {.what = "roofline_fraction",
       .measured = record.roofline ? record.roofline->fraction : 0,
       .limit = 1}};
  const std::size_t validity_checks = checks.size();
  auto target_us = targets.cold_us;
  if (!target_us) target_us = cold_target_us(record);
  if (target_us)
    checks.push_back({.what = "cold_us",
                      .measured = record.timing->cold.median,
                      .limit = *target_us,
                      .noise = record.noise});
  auto target_ratio = targets.ratio;
  if (!target_ratio && !record.on_gpu()) target_ratio = cpu_ratio_target;
  if (target_ratio && record.best_peer)
    checks.push_back({.what = "ratio_to_best_peer",
                      .measured = record.best_peer->ratio.median,
                      .limit = *target_ratio,
                      .noise = record.best_peer->noise});
  const std::string detail = describe(record);
  const bool judged_as_rung = record.gates.contains(std::string{ladder_gate});
  if (!judged_as_rung && checks.size() == validity_checks && verdict_of(checks) == Verdict::pass)
    return skipped((target_ratio ? "no peer was measured; " : "no target at this shape; ") +
                   detail);
  return judge(std::move(checks), detail);
}

}  // namespace flashcore::gate
