#include "report/page.h"

#include <fmt/format.h>

#include "bench/summary.h"
#include "gate/gate.h"
#include "report/html.h"

namespace flashcore::report {

using gate::CaseRecord;
using nlohmann::json;

namespace {

std::string us(double value) {
  return fmt::format("{:.2f}", value);
}

std::string verdicts(const std::map<std::string, gate::GateResult>& gates) {
  std::string text = "<td>";
  for (const std::string_view name : gate::names_of(gates)) {
    const gate::GateResult& result = gates.at(std::string{name});
    const bool colour =
        result.verdict == gate::Verdict::fail || result.verdict == gate::Verdict::pass;
    const std::string verdict{gate::name(result.verdict)};
    text += fmt::format("<span{} title=\"{}\">{} {}</span><br>",
                        colour ? fmt::format(" class=\"{}\"", verdict) : "", escaped(result.detail),
                        name, verdict);
  }
  return text + "</td>";
}

void add_times(std::string& row, const std::optional<gate::Timing>& timing, double flops) {
  if (!timing) {
    row += cell("-", true) + cell("-", true) + cell("-", true) + cell("-", true);
    return;
  }
  row += cell(us(timing->cold.median), true) + cell(us(timing->warm.median), true) +
         cell(us(timing->eager.median), true) +
         cell(fmt::format("{:.1f}", flops / timing->cold.median / 1e6), true);
}

std::string case_rows(const CaseRecord& record) {
  std::string row = "<tr>" + cell(record.variant) + cell(record.problem.to_string());
  add_times(row, record.timing, record.problem.flops());
  row += cell("", true) + verdicts(record.gates) + "</tr>\n";
  for (const gate::PeerRecord& peer : record.peers) {
    row += "<tr>" + cell(fmt::format("\u2003{} {}", peer.name, peer.backend)) + cell(peer.version);
    add_times(row, peer.timing, record.problem.flops());
    const auto& compared = peer.comparison;
    row += cell(compared ? fmt::format("{:.3f}", compared->ratio.median) : "-", true) +
           cell(peer.timing ? "" : "not measured: " + peer.not_measured) + "</tr>\n";
  }
  return row;
}

std::string summary_table(const std::vector<CaseRecord>& cases) {
  std::string rows;
  for (const bench::PeerSummary& each : bench::summarize_peers(cases))
    if (each.cells > 1)
      rows += "<tr>" + cell(each.variant) + cell(each.peer) +
              cell(std::to_string(each.cells), true) +
              cell(fmt::format("{:.3f}", each.mean_ratio), true) +
              cell(fmt::format("{:.3f}", each.worst_ratio), true) + cell(each.worst_problem) +
              "</tr>\n";
  if (rows.empty()) return "";
  return "<h2>Our time over the peer's</h2>\n" +
         table(header({"what", "peer", "shapes", "geometric mean", "worst", "at"}, 2) + rows);
}

std::string profile_section(const profile::ProfileRecord& record) {
  std::string text = fmt::format("<h2>Profile of {}</h2>\n<p>{}</p>\n", escaped(record.variant),
                                 escaped(record.problem.to_string()));
  if (!record.kernel) return text + "<p>Not measured: " + escaped(record.not_measured) + "</p>\n";
  std::string rows = "<tr><th>figure</th><th class=\"n\">value</th><th>what it means</th></tr>\n";
  for (const profile::Figure& figure : profile::figures()) {
    const auto value = record.kernel->figures.at(std::string{figure.key});
    rows += "<tr>" + cell(std::string{figure.label}) +
            cell(value ? fmt::format("{:.4g} {}", *value, figure.unit) : "n/a", true) +
            cell(value ? profile::meaning_of(figure.key, *value) : "") + "</tr>\n";
  }
  text += fmt::format("<p><code>{}</code></p>\n", escaped(record.kernel->name)) + table(rows);
  return text + table("<tr><th>gates</th></tr><tr>" + verdicts(record.gates) + "</tr>\n");
}

/// The member of an object as text; "unknown" where there is none.
std::string text_at(const json& object, const char* key) {
  if (!object.is_object() || !object.contains(key)) return "unknown";
  const json& value = object[key];
  if (value.is_string()) return value.get<std::string>();
  return value.is_null() ? "unknown" : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

std::string case_table(const std::vector<CaseRecord>& cases) {
  if (cases.empty()) return "";
  std::string rows = header(
      {"what", "problem", "cold us", "warm us", "eager us", "TFLOP/s", "ours/peer", "gates"}, 2);
  for (const CaseRecord& record : cases) rows += case_rows(record);
  return "<h2>Times</h2>\n" + table(rows);
}

std::string source_table(const std::vector<Results::Source>& sources) {
  std::string rows = header({"file", "date", "GPU", "driver", "commit", "command"}, 6);
  for (const Results::Source& source : sources) {
    const json& from = source.provenance;
    const json gpu = from.is_object() ? from.value("gpu", json()) : json();
    const json commit = from.is_object() ? from.value("commit", json()) : json();
    std::string command;
    if (from.is_object() && from.contains("command_line") && from["command_line"].is_array())
      for (const json& word : from["command_line"])
        if (word.is_string()) command += word.get<std::string>() + " ";
    rows += "<tr>" + cell(source.file) + cell(text_at(from, "date")) + cell(text_at(gpu, "name")) +
            cell(text_at(gpu, "driver")) + cell(text_at(commit, "id").substr(0, 12)) +
            fmt::format("<td><code>{}</code></td></tr>\n", escaped(command));
  }
  return "<h2>Where this comes from</h2>\n" + table(rows);
}

std::string page_of(const Results& results, std::span<const DrawnPicture> pictures) {
  std::string body;
  for (const DrawnPicture& each : pictures) body += figure(each);
  body += summary_table(results.cases);
  for (const profile::ProfileRecord& record : results.profiles) body += profile_section(record);
  return document("FlashCore: results",
                  body + case_table(results.cases) + source_table(results.sources));
}

}  // namespace flashcore::report
