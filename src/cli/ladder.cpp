#include "cli/ladder.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/bench_table.h"
#include "cli/table.h"
#include "gate/ladder.h"

namespace flashcore::cli {

using dispatch::Rung;
using dispatch::Variant;
using gate::CaseRecord;
using gate::Verdict;

namespace {

const CaseRecord* record_of(std::span<const CaseRecord> records, const Rung& rung) {
  const auto found = std::find_if(records.begin(), records.end(), [&](const CaseRecord& record) {
    return record.variant == rung.variant;
  });
  return found == records.end() ? nullptr : &*found;
}

std::string limit_text(const Rung& rung) {
  return rung.limit > 0 ? fmt::format("{:g}", rung.limit) : "-";
}

std::vector<std::string> rung_row(const Rung& rung, const CaseRecord* record) {
  const Variant* variant = dispatch::find_variant(rung.variant);
  const std::string name{rung.variant};
  if (variant == nullptr || record == nullptr)
    return {name, "-", "not in this build", "-", "-", limit_text(rung), "-"};
  const gate::PeerRecord* flash = gate::find_peer(*record, gate::ladder_peer);
  return {name,
          record->family,
          std::string{variant->summary},
          record->timing ? microseconds(record->timing->cold.median) : "-",
          flash == nullptr ? "-" : fmt::format("{:.2f}", flash->comparison->ratio.median),
          limit_text(rung),
          gate_summary(*record)};
}

/// Why a rung's place on the ladder is not known; empty where it is.
std::string why_unknown(const Rung& rung, const CaseRecord* record) {
  if (record == nullptr) return "not in this build";
  const auto latency = record->gates.find("latency");
  if (!record->timing) return latency == record->gates.end() ? "" : latency->second.detail;
  const gate::GateResult& ladder = record->gates.at(std::string{gate::ladder_gate});
  return rung.limit > 0 && ladder.verdict == Verdict::skipped ? ladder.detail : "";
}

}  // namespace

std::vector<const Variant*> ladder_variants() {
  std::vector<const Variant*> variants;
  for (const Rung& rung : dispatch::ladder())
    if (const Variant* variant = dispatch::find_variant(rung.variant)) variants.push_back(variant);
  return variants;
}

std::string ladder_table(std::span<const CaseRecord> records) {
  constexpr auto right = Align::right;
  Table table({{"rung"},
               {"family"},
               {"what it adds"},
               {"cold us", right},
               {"times flash", right},
               {"limit", right},
               {"gates"}});
  for (const Rung& rung : dispatch::ladder())
    table.add_row(rung_row(rung, record_of(records, rung)));
  const auto measured = std::find_if(records.begin(), records.end(), [](const CaseRecord& record) {
    return !record.peers.empty();
  });
  if (measured == records.end()) return table.to_string();
  table.add_rule();
  const gate::PeerRecord* flash = gate::find_peer(*measured, gate::ladder_peer);
  for (const gate::PeerRecord& peer : measured->peers) {
    const bool compared = peer.timing && flash != nullptr;
    const double multiple = compared ? peer.timing->cold.median / flash->timing->cold.median : 0;
    table.add_row({fmt::format("{} {}", peer.name, peer.backend), peer.version, "",
                   peer.timing ? microseconds(peer.timing->cold.median) : "-",
                   compared ? fmt::format("{:.2f}", multiple) : "-", "",
                   peer.timing ? "" : "not measured: " + peer.not_measured});
  }
  return table.to_string();
}

std::string not_measured_rungs(std::span<const CaseRecord> records) {
  std::string text;
  for (const Rung& rung : dispatch::ladder())
    if (const std::string why = why_unknown(rung, record_of(records, rung)); !why.empty())
      text += fmt::format("{} was not measured: {}\n", rung.variant, why);
  return text;
}

}  // namespace flashcore::cli
