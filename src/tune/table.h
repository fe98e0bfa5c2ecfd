// What became of every Config of a space, recorded: a search can be replayed on it with no GPU.
//
// JSON lines. The first says what was recorded:
//   {"flashcore_table": 1, "family": …, "problem": {…}, "start": "field=…", "provenance": {…}}
// and each other line is an Outcome with its "config".
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/problem.h"
#include "family/config.h"
#include "tune/outcome.h"
#include "tune/search.h"
#include "tune/space.h"

namespace flashcore::tune {

struct Table {  // NOLINT(bugprone-exception-escape): JSON is moved by a function that asserts
  std::string family;
  core::Problem problem;
  family::ConfigFields start;  // the Config that the family takes by itself
  nlohmann::json provenance;
  struct Row {
    family::ConfigFields config;
    Outcome outcome;
  };
  std::vector<Row> rows;
};

/// Throws io where the file cannot be read, invalid_argument naming file, line and place where it
/// is not a table: no row for the start, a Config twice, an unknown member.
Table read_table(const std::filesystem::path& path);

/// The text of the file.
std::string to_text(const Table& table);

/// What a search found out, as a table.
Table table_of(const SearchResult& result, const Space& space, std::string family,
               const core::Problem& problem, nlohmann::json provenance);

/// The space of the recorded Configs, and the evaluation that looks them up.
class Replay {
 public:
  explicit Replay(Table table);

  [[nodiscard]] const Table& table() const { return table_; }
  [[nodiscard]] const Space& space() const { return space_; }
  [[nodiscard]] std::vector<Outcome> evaluate(std::span<const std::size_t> batch) const;
  /// The fastest that passed its gates; 0 where none did.
  [[nodiscard]] double best_us() const;

 private:
  Table table_;
  Space space_;
  std::vector<std::size_t> row_of_;  // by index in the space
};

}  // namespace flashcore::tune
