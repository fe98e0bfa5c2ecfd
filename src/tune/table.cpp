#include "tune/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "gate/record.h"
#include "io/json_reader.h"
#include "io/problem_json.h"

namespace flashcore::tune {

using core::fail;
using core::Status;
using family::ConfigFields;
using io::JsonReader;
using nlohmann::json;

namespace {

constexpr int table_version = 1;

ConfigFields config_of(const JsonReader& reader) {
  try {
    return ConfigFields::parse(reader.string());
  } catch (const core::Error& error) {
    fail(Status::invalid_argument, "{}: {}", reader.path(), error.what());
  }
}

Table table_from_header(const JsonReader& header) {
  header.check_members({"flashcore_table", "family", "problem", "start", "provenance"});
  if (header.at("flashcore_table").integer() != table_version)
    header.at("flashcore_table").expected("version 1");
  return {.family = header.at("family").string(),
          .problem = io::problem_from_json(header.at("problem").value(), header.path()),
          .start = config_of(header.at("start")),
          .provenance = header.at("provenance").value(),
          .rows = {}};
}

Table::Row row_from_json(json line, const std::string& path, const ConfigFields& start) {
  const ConfigFields config = config_of(JsonReader{line, path}.at("config"));
  try {
    family::check_field_names(config, start);
  } catch (const core::Error& error) {
    fail(Status::invalid_argument, "{}: {}", path, error.what());
  }
  line.erase("config");
  return {config, outcome_from_json(line, path)};
}

json parse_line(const std::string& line, const std::string& path) {
  json value = json::parse(line, nullptr, false);
  if (value.is_discarded()) fail(Status::invalid_argument, "{}: is not JSON", path);
  return value;
}

void check_rows(const Table& table, const std::string& file) {
  std::set<std::string> seen;
  for (const Table::Row& row : table.rows)
    if (!seen.insert(row.config.to_string()).second)
      fail(Status::invalid_argument, "{}: {} is there twice", file, row.config.to_string());
  if (!seen.contains(table.start.to_string()))
    fail(Status::invalid_argument, "{}: has no row for the start, {}", file,
         table.start.to_string());
}

std::vector<ConfigFields> configs_of(const Table& table) {
  std::vector<ConfigFields> configs;
  for (const Table::Row& row : table.rows) configs.push_back(row.config);
  return configs;
}

}  // namespace

Table read_table(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) fail(Status::io, "{}: cannot be read", path.string());
  Table table;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    const std::string place = fmt::format("{}:{}", path.string(), ++number);
    const json value = parse_line(line, place);
    if (number == 1)
      table = table_from_header(JsonReader{value, place});
    else
      table.rows.push_back(row_from_json(value, place, table.start));
  }
  if (number == 0) fail(Status::invalid_argument, "{}: is empty", path.string());
  check_rows(table, path.string());
  return table;
}

std::string to_text(const Table& table) {
  const json header{{"flashcore_table", table_version},
                    {"family", table.family},
                    {"problem", io::problem_to_json(table.problem)},
                    {"start", table.start.to_string()},
                    {"provenance", table.provenance}};
  const auto line_of = [](const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
  };
  std::string text = line_of(header);
  for (const Table::Row& row : table.rows) {
    json line = outcome_to_json(row.outcome);
    line["config"] = row.config.to_string();
    text += line_of(line);
  }
  return text;
}

Table table_of(const SearchResult& result, const Space& space, std::string family,
               const core::Problem& problem, json provenance) {
  Table table{.family = std::move(family),
              .problem = problem,
              .start = space.config(space.start()),
              .provenance = std::move(provenance),
              .rows = {}};
  for (const Evaluation& each : result.evaluations)
    table.rows.push_back({space.config(each.index), each.outcome});
  return table;
}

Replay::Replay(Table table)
    : table_(std::move(table)), space_(configs_of(table_), table_.start), row_of_(space_.size()) {
  for (std::size_t row = 0; row < table_.rows.size(); ++row)
    row_of_[*space_.find(table_.rows[row].config)] = row;
}

std::vector<Outcome> Replay::evaluate(std::span<const std::size_t> batch) const {
  std::vector<Outcome> outcomes;
  for (const std::size_t index : batch) outcomes.push_back(table_.rows[row_of_[index]].outcome);
  return outcomes;
}

double Replay::best_us() const {
  double best = 0;
  for (const Table::Row& row : table_.rows)
    if (row.outcome.eligible() && (best == 0 || row.outcome.latency_us < best))
      best = row.outcome.latency_us;
  return best;
}

}  // namespace flashcore::tune
