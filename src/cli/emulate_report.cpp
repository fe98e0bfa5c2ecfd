#include "cli/emulate_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "bench/provenance.h"
#include "cli/result_file.h"
#include "cli/table.h"
#include "emulate/call.h"
#include "gate/record.h"
#include "io/problem_json.h"

namespace flashcore::cli {

using emulate::AccessKind;
using emulate::SiteCounts;
using nlohmann::json;

namespace {

constexpr int json_version = 1;

std::string share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? "-"
                    : fmt::format("{:.0f}%",
                                  100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

/// host::Instruction's order says so.
bool counted_by_warp(host::Instruction instruction) {
  return instruction <= host::Instruction::wgmma_wait;
}

std::string instruction_table(const emulate::Counts& counts) {
  Table table({{"instruction"}, {"executed", Align::right}, {"by"}});
  for (int i = 0; i < host::instruction_kinds; ++i) {
    const auto instruction = static_cast<host::Instruction>(i);
    if (counts.of(instruction) == 0) continue;
    table.add_row({std::string{emulate::name(instruction)},
                   fmt::format("{}", counts.of(instruction)),
                   counted_by_warp(instruction) ? "warp" : "thread"});
  }
  return table.rows() > 0 ? table.to_string() : "";
}

std::string byte_table(const emulate::Counts& counts) {
  Table table({{"memory"}, {"bytes", Align::right}});
  for (int i = 0; i < emulate::access_kinds; ++i) {
    const auto kind = static_cast<AccessKind>(i);
    if (counts.of(kind) > 0)
      table.add_row({std::string{name(kind)}, fmt::format("{}", counts.of(kind))});
  }
  return table.rows() > 0 ? "\n" + table.to_string() : "";
}

/// Shared memory: turns of the banks. Global memory: sectors of 32 bytes.
std::string site_table(const emulate::Counts& counts, bool shared) {
  constexpr auto right = Align::right;
  Table table({{shared ? "shared access" : "global access"},
               {"at"},
               {"by warps", right},
               {"bytes", right},
               {shared ? "turns" : "sectors", right},
               {"at least", right},
               {shared ? "conflicts" : "used", right}});
  for (const SiteCounts& site : counts.sites) {
    if (is_shared(site.kind) != shared) continue;
    table.add_row(
        {std::string{name(site.kind)}, site.where.text, fmt::format("{}", site.instructions),
         fmt::format("{}", site.bytes), fmt::format("{}", site.passes),
         fmt::format("{}", site.least_passes),
         shared ? fmt::format("{}", site.excess()) : share(site.least_passes, site.passes)});
  }
  return table.rows() > 0 ? "\n" + table.to_string() : "";
}

json site_json(const SiteCounts& site) {
  return {{"kind", name(site.kind)}, {"at", site.where.text}, {"instructions", site.instructions},
          {"bytes", site.bytes},     {"passes", site.passes}, {"least_passes", site.least_passes}};
}

}  // namespace

bool Emulation::good() const {
  return why_not().empty();
}

std::string Emulation::why_not() const {
  const std::size_t findings = report.findings.size() + report.more_findings;
  if (findings > 0)
    return fmt::format("{}: the checks found {} fault{}", variant, findings,
                       findings == 1 ? "" : "s");
  if (accuracy && !accuracy->correct) return fmt::format("{}: {}", variant, accuracy->reason);
  return "";
}

std::string to_text(const Emulation& e) {
  std::string text = fmt::format("{} on an emulated {}: {}, seed {}\n{} {}\n", e.variant,
                                 e.device.arch.to_string(), e.problem.to_string(), e.seed,
                                 e.choice.family, e.choice.config);
  if (e.accuracy)
    text += fmt::format("{}: largest error {:.2e}, a plain implementation's {:.2e}\n",
                        e.accuracy->correct ? "correct" : "WRONG: " + e.accuracy->reason,
                        e.accuracy->max_error, e.accuracy->plain_error);
  const std::string found = emulate::describe(e.report);
  text += found.empty() ? "the checks found nothing\n\n" : "the checks found:\n" + found + "\n\n";
  const emulate::Counts& counts = e.report.counts;
  return text + instruction_table(counts) + byte_table(counts) + site_table(counts, true) +
         site_table(counts, false);
}

json to_json(const Emulation& e) {
  const emulate::Counts& counts = e.report.counts;
  json instructions = json::object(), bytes = json::object(), sites = json::array();
  for (int i = 0; i < host::instruction_kinds; ++i)
    instructions[std::string{emulate::name(static_cast<host::Instruction>(i))}] =
        counts.of(static_cast<host::Instruction>(i));
  for (int i = 0; i < emulate::access_kinds; ++i)
    bytes[std::string{name(static_cast<AccessKind>(i))}] = counts.of(static_cast<AccessKind>(i));
  for (const SiteCounts& site : counts.sites) sites.push_back(site_json(site));
  json findings = json::array();
  for (const emulate::Finding& finding : e.report.findings) findings.push_back(finding.to_string());
  json accuracy;
  if (e.accuracy)
    accuracy = {{"correct", e.accuracy->correct},
                {"max_error", e.accuracy->max_error},
                {"plain_error", e.accuracy->plain_error},
                {"reason", e.accuracy->reason}};
  return {{"schema", json_version},
          {"variant", e.variant},
          {"family", e.choice.family},
          {"config", e.choice.config},
          {"arch", e.device.arch.to_string()},
          {"problem", io::problem_to_json(e.problem)},
          {"seed", e.seed},
          {"instructions", std::move(instructions)},
          {"bytes", std::move(bytes)},
          {"sites", std::move(sites)},
          {"findings", std::move(findings)},
          {"more_findings", e.report.more_findings},
          {"accuracy", std::move(accuracy)},
          {"provenance", bench::run_provenance(command_line())}};
}

}  // namespace flashcore::cli
