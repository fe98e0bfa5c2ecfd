#include "cli/bench_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "cli/table.h"
#include "dispatch/dispatch.h"

namespace flashcore::cli {

using gate::CaseRecord;
using gate::Verdict;

namespace {

/// Cold, warm, eager, TFLOP/s.
std::array<std::string, 4> time_cells(const std::optional<gate::Timing>& timing,
                                      const core::Problem& problem) {
  if (!timing) return {"-", "-", "-", "-"};
  const double spread = 50 * (timing->cold.p75 - timing->cold.p25) / timing->cold.median;
  const double tflops = problem.flops() / timing->cold.median / 1e6;
  return {fmt::format("{} ±{:.0f}%", microseconds(timing->cold.median), spread),
          microseconds(timing->warm.median), microseconds(timing->eager.median),
          fmt::format("{:.{}f}", tflops, tflops < 1 ? 3 : 1)};
}

}  // namespace

std::string microseconds(double us) {
  return us < 100 ? fmt::format("{:.2f}", us) : fmt::format("{:.0f}", us);
}

std::string gate_summary(const CaseRecord& record) {
  int passed = 0;
  int skipped = 0;
  std::string others;
  for (const std::string_view name : gate::names_of(record.gates)) {
    const Verdict verdict = record.gates.at(std::string{name}).verdict;
    passed += verdict == Verdict::pass ? 1 : 0;
    skipped += verdict == Verdict::skipped ? 1 : 0;
    if (verdict == Verdict::fail || verdict == Verdict::inconclusive)
      others += fmt::format(", {} {}", name, gate::name(verdict));
  }
  if (skipped > 0) others += fmt::format(", {} skipped", skipped);
  return fmt::format("{} pass{}", passed, others);
}

std::string bench_table(std::span<const CaseRecord> records) {
  constexpr auto right = Align::right;
  Table table({{"what"},
               {"problem"},
               {"on"},
               {"cold us", right},
               {"warm us", right},
               {"eager us", right},
               {"TFLOP/s", right},
               {"ours/peer", right},
               {"gates"}});
  for (const CaseRecord& record : records) {
    if (table.rows() > 0) table.add_rule();
    const auto ours = time_cells(record.timing, record.problem);
    table.add_row({record.variant, record.problem.to_string(),
                   record.on_gpu() ? "gpu" : record.backend, ours[0], ours[1], ours[2], ours[3],
                   record.best_peer ? fmt::format("{:.2f}", record.best_peer->ratio.median) : "-",
                   gate_summary(record)});
    for (const gate::PeerRecord& peer : record.peers) {
      const auto theirs = time_cells(peer.timing, record.problem);
      table.add_row({fmt::format("  {} {}", peer.name, peer.backend), "", "", theirs[0], theirs[1],
                     theirs[2], theirs[3], "",
                     peer.timing ? "" : "not measured: " + peer.not_measured});
    }
  }
  return table.to_string();
}

std::string emulated_table(std::span<const CaseRecord> records) {
  Table table({{"what"}, {"problem"}, {"gates"}});
  for (const CaseRecord& record : records)
    table.add_row({record.variant, record.problem.to_string(), gate_summary(record)});
  return "On the emulator: checked and counted, which is not timing.\n" + table.to_string();
}

std::string gate_notes(std::span<const CaseRecord> records) {
  constexpr std::string_view emulator = dispatch::name(dispatch::Backend::emulator);
  std::string text;
  std::set<std::string> said;  // a reason to skip is the same for every Problem
  for (const CaseRecord& record : records)
    for (const std::string_view name : gate::names_of(record.gates)) {
      const auto& [verdict, detail, checks] = record.gates.at(std::string{name});
      if (verdict == Verdict::pass) continue;
      const bool skipped = verdict == Verdict::skipped;
      if (skipped && record.backend == emulator && name == "latency")
        continue;  // the table says it
      if (skipped && (record.timing || !said.insert(record.variant + detail).second)) continue;
      const std::string what = skipped ? "" : fmt::format("{}, ", record.problem.to_string());
      text +=
          fmt::format("{}: {}{} {}: {}\n", record.variant, what, name, gate::name(verdict), detail);
    }
  return text;
}

std::string choice_notes(std::span<const CaseRecord> records) {
  std::string text;
  for (const CaseRecord& record : records)
    if (record.on_gpu() && record.reason.find("tuned") != std::string::npos)
      text += fmt::format("{}: {}, {}: {}\n", record.variant, record.problem.to_string(),
                          record.reason, record.config);
  return text;
}

std::string peer_summary_table(std::span<const bench::PeerSummary> summaries) {
  Table table({{"what"},
               {"peer"},
               {"shapes", Align::right},
               {"ours/peer, geometric mean", Align::right},
               {"its speed", Align::right},
               {"worst", Align::right},
               {"at"}});
  for (const bench::PeerSummary& summary : summaries)
    if (summary.cells > 1)
      table.add_row({summary.variant, summary.peer, std::to_string(summary.cells),
                     fmt::format("{:.3f}", summary.mean_ratio),
                     fmt::format("{:.2f} times", 1 / summary.mean_ratio),
                     fmt::format("{:.3f}", summary.worst_ratio), summary.worst_problem});
  return table.rows() > 0 ? "\n" + table.to_string() : "";
}

}  // namespace flashcore::cli
