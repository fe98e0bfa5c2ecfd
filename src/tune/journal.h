// What a tuner did, candidate by candidate, in an SQLite file that survives it: written before each
// launch and after each result. Several tuners may share one, each with runs of its own.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tune/database.h"
#include "tune/outcome.h"

namespace flashcore::tune {

/// What a search is of: outcomes of one hold for another with the same.
struct Subject {
  std::string family;
  nlohmann::json problem;
  std::string gpu;          // its name; "simulated" on a table
  std::string source_hash;  // of the kernels

  bool operator==(const Subject&) const = default;
};

/// A run as the journal holds it.
struct JournalRun {
  std::int64_t id = 0;
  Subject subject;
  nlohmann::json search;      // what decides the course of the search: strategy, seed, space, …
  nlohmann::json provenance;  // where and when it ran
  nlohmann::json end;         // stop, finalists, winner; null while it is not finished
  struct Row {
    std::string config;
    int generation = 0;
    std::optional<Outcome> outcome;  // empty: it was launched and nothing more is known
  };
  std::vector<Row> rows;  // in the order in which they were launched
};

class Journal {
 public:
  /// Opens or makes the file. Throws io where it cannot be written, where the disk is full, and
  /// where it is damaged or no journal.
  explicit Journal(const std::filesystem::path& path);

  /// Begins a run of this process.
  std::int64_t begin(const Subject& subject, const nlohmann::json& search,
                     const nlohmann::json& provenance);
  /// Takes over the last unfinished run of the same subject and search, if there is one. What had
  /// been launched without a result is abandoned. Throws unsupported where its tuner is still at
  /// it.
  std::optional<std::int64_t> resume(const Subject& subject, const nlohmann::json& search);

  /// Before the candidate runs.
  void launch(std::int64_t run, const std::string& config, int generation);
  /// Its result, whether or not it was launched.
  void record(std::int64_t run, const std::string& config, int generation, const Outcome& outcome);
  void finish(std::int64_t run, const nlohmann::json& end);

  /// What is known of the run's candidates, by Config.
  std::map<std::string, Outcome> outcomes(std::int64_t run);
  /// The Configs that took a worker down in any run of the subject, and how.
  std::map<std::string, Outcome> breakers(const Subject& subject);

 private:
  std::mutex mutex_;  // candidates run on several devices at once
  Database database_;
};

/// Every run in a journal, for reading. Throws as Journal does; a file that is not there too.
std::vector<JournalRun> read_journal(const std::filesystem::path& path);

/// Whether a file begins as an SQLite file does.
bool is_database(const std::filesystem::path& path);

}  // namespace flashcore::tune
