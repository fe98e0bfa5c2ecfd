#include "cli/tune_report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>

#include "cli/bench_table.h"
#include "cli/table.h"

namespace flashcore::cli {

using nlohmann::json;
using tune::Evaluation;
using tune::SearchResult;

namespace {

std::string times_of(double us, double reference_us) {
  return fmt::format("{:.2f}", reference_us / us);
}

std::string best_text(const SearchResult& result, const tune::Marks& marks) {
  if (!result.best) return "nothing passed its gates yet";
  const double us = result.evaluations[*result.best].outcome.latency_us;
  std::string text = fmt::format("best {:.2f} us, {} times as fast as the start", us,
                                 times_of(us, result.baseline_us));
  if (marks.peer_us > 0) text += fmt::format(", {} as {}", times_of(us, marks.peer_us), marks.peer);
  if (marks.roofline_us > 0)
    text += fmt::format(", {:.0f}% of the roofline", 100 * marks.roofline_us / us);
  return text;
}

}  // namespace

std::string failure_counts(const SearchResult& result) {
  std::map<tune::Cause, int> counts;
  for (const Evaluation& each : result.evaluations)
    if (each.outcome.cause != tune::Cause::none) ++counts[each.outcome.cause];
  std::string text;
  for (const auto& [cause, count] : counts)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name(cause));
  return text;
}

std::string generation_line(const SearchResult& result, const tune::Marks& marks) {
  const std::string failed = failure_counts(result);
  return fmt::format("generation {}: {} tried, {}{}{}", result.generations,
                     result.evaluations.size(), best_text(result, marks),
                     failed.empty() ? "" : "; failed: ", failed);
}

TuneProgress::TuneProgress(long evaluations)
    : progress_(static_cast<std::size_t>(evaluations), "tune"),
      terminal_(isatty(STDERR_FILENO) != 0) {}

void TuneProgress::note(std::string_view what) {
  const std::scoped_lock lock(mutex_);
  progress_.note(what);
}

void TuneProgress::candidate_done() {
  const std::scoped_lock lock(mutex_);
  progress_.advance();
  progress_.note(line_);
}

void TuneProgress::generation_done(const SearchResult& result) {
  const std::scoped_lock lock(mutex_);
  line_ = generation_line(result, marks_);
  if (terminal_) return progress_.note(line_);
  fmt::print(stderr, "{}\n", line_);
  std::fflush(stderr);
}

std::string tune_summary(const SearchResult& result, const tune::Space& space) {
  std::string text =
      fmt::format("{} of {} Configs tried in {} generations; ended by: {}\n",
                  result.evaluations.size(), space.size(), result.generations, name(result.stop));
  if (const std::string failed = failure_counts(result); !failed.empty())
    text += fmt::format("failed: {}\n", failed);
  if (!result.best) return text + "no Config passed its gates\n";
  const Evaluation& best = result.evaluations[*result.best];
  Table table({{"what"}, {"us", Align::right}, {"fitness", Align::right}, {"Config"}});
  const Evaluation& start = result.evaluations.front();
  const auto row = [&](const char* what, const Evaluation& each) {
    table.add_row({what,
                   each.outcome.latency_us > 0 ? fmt::format("{:.3f}", each.outcome.latency_us)
                                               : std::string{name(each.outcome.cause)},
                   fmt::format("{:.3f}", each.fitness), space.config(each.index).to_string()});
  };
  row("start", start);
  row("best", best);
  return text + table.to_string();
}

std::string finals_summary(const tune::Finals& finals) {
  std::vector<gate::CaseRecord> records;
  for (const tune::Finalist& finalist : finals.finalists) records.push_back(finalist.record);
  std::string text = bench_table(records) + gate_notes(records);
  if (finals.winner) text += fmt::format("winner: {}\n", finals.finalists[*finals.winner].config);
  return text + finals.reason + '\n';
}

json search_to_json(const SearchResult& result, const tune::Space& space) {
  json evaluations = json::array();
  for (const Evaluation& each : result.evaluations) {
    json entry = outcome_to_json(each.outcome);
    entry["config"] = space.config(each.index).to_string();
    entry["generation"] = each.generation;
    entry["fitness"] = each.fitness;
    evaluations.push_back(std::move(entry));
  }
  return {{"stop", name(result.stop)},
          {"generations", result.generations},
          {"space", space.size()},
          {"baseline_us", result.baseline_us},
          {"best", result.best ? json(*result.best) : json(nullptr)},
          {"evaluations", std::move(evaluations)}};
}

std::string study_table(std::span<const tune::StudyPoint> points) {
  std::vector<Column> columns{{"budget", Align::right}, {"evaluations", Align::right}};
  std::map<double, std::vector<std::string>> rows;
  for (const tune::StudyPoint& point : points) {
    auto [row, first_of_budget] = rows.try_emplace(point.budget);
    if (first_of_budget)
      row->second = {fmt::format("{:.0f}%", 100 * point.budget), std::to_string(point.evaluations)};
    row->second.push_back(fmt::format("{:.2f}% ({:.2f} to {:.2f})", 100 * point.median,
                                      100 * point.p25, 100 * point.p75));
    if (point.budget == points.front().budget)
      columns.push_back({std::string{name(point.strategy)}, Align::right});
  }
  Table table(columns);
  for (auto& [budget, row] : rows) table.add_row(std::move(row));
  return table.to_string();
}

}  // namespace flashcore::cli
