#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "report/tuning.h"
#include "tune/outcome.h"

namespace flashcore::report {

using tune::JournalRun;

namespace {

constexpr const char* tuning_grid = "set grid lc rgb '#dddddd'\nset border lc rgb '#444444'\n";
constexpr int panels_across = 3;
constexpr int panel_width = 330, panel_height = 260;

std::string picture_name(const JournalRun& run, const char* what) {
  return fmt::format("run{}_{}", run.id, what);
}

/// As the search reckoned it: against the start's time, or the first that passed.
double baseline_of(const JournalRun& run) {
  for (const JournalRun::Row& row : run.rows)
    if (row.outcome && row.outcome->eligible()) return row.outcome->latency_us;
  return 0;
}

tune::Weights weights_of(const JournalRun& run) {
  tune::Weights weights;
  if (!run.search.is_object() || !run.search.contains("weights")) return weights;
  const auto& given = run.search["weights"];
  const std::array parts{&weights.speed, &weights.error,       &weights.error_unit,
                         &weights.nan,   &weights.failed_gate, &weights.not_deterministic};
  for (std::size_t i = 0; i < parts.size() && i < given.size(); ++i)
    if (given[i].is_number()) *parts[i] = given[i].get<double>();
  return weights;
}

/// For each field that differs, the values and the times of the Configs that passed.
std::map<std::string, std::vector<std::pair<double, double>>> times_by_field(
    const JournalRun& run) {
  std::map<std::string, std::vector<std::pair<double, double>>> times;
  for (const JournalRun::Row& row : run.rows) {
    if (!row.outcome || !row.outcome->eligible()) continue;
    const auto config = family::ConfigFields::parse(row.config);
    for (const auto& [field, value] : config.fields())
      times[field].emplace_back(static_cast<double>(value), row.outcome->latency_us);
  }
  std::erase_if(times, [](const auto& each) {
    const auto& points = each.second;
    return std::all_of(points.begin(), points.end(),
                       [&](const auto& point) { return point.first == points.front().first; });
  });
  return times;
}

/// One panel; values stand side by side in order, whatever lies between them.
std::string field_panel(const std::string& field,
                        const std::vector<std::pair<double, double>>& points, std::size_t number) {
  std::set<double> values;
  for (const auto& [value, us] : points) values.insert(value);
  std::vector<std::pair<double, double>> placed;
  for (const auto& [value, us] : points)
    placed.emplace_back(static_cast<double>(std::distance(values.begin(), values.find(value))), us);
  std::string tics;
  for (const double value : values)
    tics += fmt::format("{}'{:g}' {}", tics.empty() ? "" : ", ", value,
                        std::distance(values.begin(), values.find(value)));
  const std::string block = fmt::format("field{}", number);
  return data_block(block, placed) +
         fmt::format(
             "set title {}\nset xtics ({})\nset xrange [-0.5:{}]\n"
             "plot ${} using ($1 + 0.3 * (rand(0) - 0.5)):2 with points pt 7 ps 0.45 lc rgb "
             "'#0b5fa5' notitle\n",
             quoted(field), tics, static_cast<double>(values.size()) - 0.5, block);
}

constexpr std::array study_colours{"#d1495b", "#e08a00", "#555555", "#0b5fa5"};

/// What a strategy found over the budgets, in percent.
struct StudyCurves {
  std::vector<std::pair<double, double>> median, lower, upper;

  void add(const tune::StudyPoint& point) {
    const double budget = 100 * point.budget;
    median.emplace_back(budget, 100 * point.median);
    lower.emplace_back(budget, 100 * point.p25);
    upper.emplace_back(budget, 100 * point.p75);
  }
  /// The lower quartiles there, the upper ones back.
  [[nodiscard]] std::vector<std::pair<double, double>> band() const {
    auto outline = lower;
    outline.insert(outline.end(), upper.rbegin(), upper.rend());
    return outline;
  }
};

}  // namespace

std::optional<Picture> fitness_picture(const JournalRun& run) {
  const double baseline_us = baseline_of(run);
  if (baseline_us == 0) return std::nullopt;
  const tune::Weights weights = weights_of(run);
  std::vector<std::pair<double, double>> passed, best;
  for (std::size_t i = 0; i < run.rows.size(); ++i) {
    const auto& outcome = run.rows[i].outcome;
    const auto at = static_cast<double>(i + 1);
    if (outcome && outcome->eligible()) {
      passed.emplace_back(at, tune::fitness(*outcome, baseline_us, weights));
      const double so_far = best.empty() ? passed.back().second : best.back().second;
      best.emplace_back(at, std::max(so_far, passed.back().second));
    } else if (!best.empty()) {
      best.emplace_back(at, best.back().second);
    }
  }
  return Picture{
      .name = picture_name(run, "fitness"),
      .title = "Fitness over evaluations",
      .caption =
          "Each candidate that passed its gates, and the best so far. 1 less the error's "
          "penalty is the speed of the Config that the family takes by itself.",
      .script = tuning_grid +
                fmt::format("set xlabel 'candidates tried'\nset ylabel 'fitness'\nset xrange "
                            "[0:{}]\nset key top left reverse Left\n",
                            run.rows.size() + 1) +
                data_block("passed", passed) + data_block("best", best) +
                "plot $passed with points pt 7 ps 0.5 lc rgb '#8ab4d8' title 'candidate', $best "
                "with steps lw 2.5 lc rgb '#d1495b' title 'best so far'\n"};
}

std::optional<Picture> field_picture(const JournalRun& run) {
  const auto times = times_by_field(run);
  if (times.empty()) return std::nullopt;
  const int count = static_cast<int>(times.size());
  const int across = std::min(panels_across, count);
  const int down = (count + across - 1) / across;
  std::string script = tuning_grid;
  script +=
      fmt::format("set multiplot layout {},{}\nset logscale y\nset format y '%g'\n", down, across);
  double least = 1e300, most = 0;
  for (const auto& [field, points] : times)
    for (const auto& [value, us] : points) {
      least = std::min(least, us);
      most = std::max(most, us);
    }
  script += fmt::format("set yrange [{:.6g}:{:.6g}]\n", least / 1.1, most * 1.1);
  std::size_t number = 0;
  for (const auto& [field, points] : times) script += field_panel(field, points, number++);
  return Picture{.name = picture_name(run, "fields"),
                 .title = "Time by the value of each field",
                 .caption =
                     "Microseconds of the candidates that passed, cold, over the values that "
                     "were tried; each candidate stands in every panel.",
                 .width = across * panel_width,
                 .height = down * panel_height,
                 .script = script + "unset multiplot\n"};
}

std::optional<Picture> failure_picture(const JournalRun& run) {
  std::map<std::string, int> counts;
  for (const JournalRun::Row& row : run.rows)
    if (row.outcome && row.outcome->cause != tune::Cause::none)
      ++counts[std::string{tune::name(row.outcome->cause)}];
  if (counts.empty()) return std::nullopt;
  std::string block = "$causes << EOD\n";
  for (const auto& [cause, count] : counts) block += fmt::format("{} {}\n", cause, count);
  return Picture{.name = picture_name(run, "failures"),
                 .title = "Failures by cause",
                 .caption = "Candidates that were not timed or cannot win.",
                 .height = 300,
                 .script = tuning_grid + block +
                           "EOD\nset xrange [-1:" + std::to_string(counts.size()) +
                           "]\nset style fill solid 0.85\nset boxwidth 0.6\nset yrange [0:*]\n"
                           "set ylabel 'candidates'\nset xtics nomirror\n"
                           "plot $causes using 0:2:xtic(1) with boxes lc rgb '#d1495b' notitle, "
                           "$causes using 0:2:2 with labels offset 0,0.7 notitle\n"};
}

Picture study_picture(std::span<const tune::StudyPoint> points) {
  std::map<tune::StrategyKind, StudyCurves> strategies;
  for (const tune::StudyPoint& point : points) strategies[point.strategy].add(point);
  std::string script = tuning_grid;
  script +=
      "set xlabel 'evaluations, % of an exhaustive search'\nset ylabel 'slower than the best, % "
      "(median and quartiles over seeds)'\nset xrange [0:100]\nset yrange [0:*]\n";
  std::string bands, medians;  // the medians over the bands, and the evolution's, which comes first
  for (const auto& [strategy, curves] : strategies) {
    const std::string label{name(strategy)};
    script += data_block(label, curves.median) + data_block(label + "_band", curves.band());
    const char* colour = study_colours[static_cast<std::size_t>(strategy) % study_colours.size()];
    bands += fmt::format(
        "${}_band with filledcurves closed fs transparent solid 0.15 noborder lc "
        "rgb '{}' notitle, ",
        label, colour);
    medians = fmt::format("${} with linespoints lw 2 pt 7 ps 0.7 lc rgb '{}' title {}{}{}", label,
                          colour, quoted(label), medians.empty() ? "" : ", ", medians);
  }
  return {.name = "study",
          .title = "What a search finds on a recorded table",
          .caption = "Median over seeds; the band is from quartile to quartile.",
          .script = script + "plot " + bands + medians + "\n"};
}

}  // namespace flashcore::report
