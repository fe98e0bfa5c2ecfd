#include "report/tuning.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io/file.h"
#include "io/problem_json.h"
#include "report/html.h"
#include "report/page.h"

namespace flashcore::report {

namespace fs = std::filesystem;
using nlohmann::json;
using tune::JournalRun;

namespace {

std::string text_of(const json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || object[key].is_null()) return "-";
  const json& value = object[key];
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// The finals' records, the winner's named; empty where there were none.
std::vector<gate::CaseRecord> finalists_of(const JournalRun& run) {
  std::vector<gate::CaseRecord> records;
  if (!run.end.is_object() || !run.end.contains("finals")) return records;
  const json& finals = run.end["finals"];
  const json& list = finals.at("finalists");
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string place = fmt::format("run {}: finalists[{}]", run.id, i);
    records.push_back(gate::case_from_json(list[i].at("record"), place));
    records.back().variant += finals.at("winner") == json(i) ? ", winner" : "";
  }
  return records;
}

/// What was searched, and how it ended.
std::string about(const JournalRun& run) {
  const auto passed = std::count_if(
      run.rows.begin(), run.rows.end(),
      [](const JournalRun::Row& row) { return row.outcome && row.outcome->eligible(); });
  std::string rows;
  const auto row = [&](const char* what, const std::string& value) {
    rows += "<tr>" + cell(what) + cell(value) + "</tr>\n";
  };
  row("family", run.subject.family);
  row("problem", text_of(run.subject.problem, "text"));
  row("GPU", run.subject.gpu);
  row("strategy",
      fmt::format("{}, seed {}", text_of(run.search, "strategy"), text_of(run.search, "seed")));
  row("space", text_of(run.search, "space") + " Configs");
  row("tried", fmt::format("{}, of which {} passed their gates", run.rows.size(), passed));
  row("ended by", run.end.is_null() ? "not finished" : text_of(run.end, "stop"));
  if (!run.end.is_object() || !run.end.contains("finals")) return table(rows);
  const json& finals = run.end["finals"];
  const json& marks = run.end.value("marks", json::object());
  if (marks.value("peer_us", 0.0) > 0)
    row("fastest peer",
        fmt::format("{}, {:.2f} us", text_of(marks, "peer"), marks["peer_us"].get<double>()));
  if (marks.value("roofline_us", 0.0) > 0)
    row("roofline", fmt::format("{:.2f} us", marks["roofline_us"].get<double>()));
  if (!finals.at("winner").is_null())
    row("winner",
        text_of(finals.at("finalists").at(finals["winner"].get<std::size_t>()), "config"));
  row("because", text_of(finals, "reason"));
  return table(rows);
}

}  // namespace

Drawn write_tuning_report(const std::vector<JournalRun>& runs, const fs::path& gnuplot,
                          const fs::path& folder) {
  io::make_folder(folder, "out");
  Drawn drawn;
  std::string body;
  std::vector<Results::Source> sources;
  for (const JournalRun& run : runs) {
    body += fmt::format("<h2>Run {}</h2>\n", run.id) + about(run);
    for (const auto& picture : {fitness_picture(run), field_picture(run), failure_picture(run)}) {
      if (!picture) continue;
      body += figure({*picture, draw(*picture, gnuplot, folder)});
      drawn.files.push_back((folder / (picture->name + ".svg")).string());
    }
    body += case_table(finalists_of(run));
    sources.push_back({fmt::format("run {}", run.id), run.provenance});
  }
  if (runs.empty()) drawn.missing.emplace_back("the journal has no run");
  const std::string page = document("FlashCore: tuning", body + source_table(sources));
  drawn.files.push_back(write_page(page, folder));
  return drawn;
}

}  // namespace flashcore::report
