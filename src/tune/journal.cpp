#include "tune/journal.h"

#include <fmt/format.h>

#include <array>
#include <fstream>

#include "core/error.h"
#include "tune/process_identity.h"

namespace flashcore::tune {

using core::fail;
using core::Status;
using nlohmann::json;

namespace {

constexpr int journal_version = 1;

/// Marks the file as ours in SQLite's header: "FCtj".
constexpr int application_id = 0x4643746A;

constexpr const char* schema = R"(
CREATE TABLE runs (
  id INTEGER PRIMARY KEY,
  family TEXT NOT NULL, problem TEXT NOT NULL, gpu TEXT NOT NULL, source_hash TEXT NOT NULL,
  search TEXT NOT NULL,
  provenance TEXT NOT NULL,
  owner TEXT NOT NULL,  -- the process
  end TEXT              -- null while it is not finished
);
CREATE TABLE candidates (
  run INTEGER NOT NULL REFERENCES runs(id),
  config TEXT NOT NULL,
  generation INTEGER NOT NULL,
  cause TEXT,    -- null while it runs
  outcome TEXT,  -- JSON
  PRIMARY KEY (run, config)
);
)";

std::int64_t pragma(const Database& database, const char* sql) {
  Statement statement(database, sql);
  return statement.step() ? statement.integer(0) : 0;
}

/// Throws where the file is damaged, or another program's, or of another version.
void check_file(const Database& database) {
  const std::string path = database.path().string();
  Statement check(database, "PRAGMA quick_check(1)");
  if (check.step() && check.text(0) != "ok")
    fail(Status::io, "journal: {}: is damaged: {}", path, check.text(0));
  if (pragma(database, "PRAGMA application_id") != application_id)
    fail(Status::io, "journal: {}: is a database, but no journal of flashcore tune", path);
  const std::int64_t version = pragma(database, "PRAGMA user_version");
  if (version != journal_version)
    fail(Status::io, "journal: {}: is of version {}, known is {}", path, version, journal_version);
}

void make_schema(const Database& database) {
  database.execute(schema);
  database.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                               application_id, journal_version)
                       .c_str());
}

/// Writes as much as a search may need and undoes it, so that a full disk is found out at the
/// start.
void reserve_space(const Database& database) {
  const Transaction undone(database);
  database.execute("CREATE TABLE reserve (bytes BLOB)");
  database.execute("INSERT INTO reserve VALUES (zeroblob(1048576))");
  if (const int code = sqlite3_db_cacheflush(database.handle()); code != SQLITE_OK)
    fail(Status::io, "journal: {}: a MiB for it cannot be written: {}", database.path().string(),
         sqlite3_errstr(code));
}

json parse(const Database& database, const std::string& text) {
  json value = json::parse(text, nullptr, false);
  if (value.is_discarded())
    fail(Status::io, "journal: {}: holds what is not JSON: {}", database.path().string(),
         text.substr(0, 60));
  return value;
}

/// The four columns that say what a run is of.
Statement& bind_subject(Statement& statement, const Subject& subject) {
  return statement.bind(subject.family)
      .bind(subject.problem.dump())
      .bind(subject.gpu)
      .bind(subject.source_hash);
}

constexpr const char* of_subject = "family = ? AND problem = ? AND gpu = ? AND source_hash = ?";

Outcome outcome_of(const Database& database, const std::string& text) {
  return outcome_from_json(parse(database, text), database.path().string());
}

std::vector<JournalRun::Row> rows_of(const Database& database, std::int64_t run) {
  Statement rows(database,
                 "SELECT config, generation, outcome FROM candidates WHERE run = ? ORDER BY rowid");
  rows.bind(run);
  std::vector<JournalRun::Row> result;
  while (rows.step()) {
    const std::string outcome = rows.text(2);
    result.push_back(
        {.config = rows.text(0),
         .generation = static_cast<int>(rows.integer(1)),
         .outcome = outcome.empty() ? std::nullopt : std::optional{outcome_of(database, outcome)}});
  }
  return result;
}

}  // namespace

Journal::Journal(const std::filesystem::path& path) : database_(path, Database::Access::write) {
  // Killing a tuner loses nothing that was committed, and a loss of power at most the last results:
  // a write ahead log is right however it ends. What is launched waits for the disk (launch()).
  database_.use_write_ahead_log();
  database_.execute("PRAGMA synchronous = NORMAL");
  {
    Transaction transaction(database_);  // one maker at a time
    if (pragma(database_, "SELECT count(*) FROM sqlite_master") == 0) make_schema(database_);
    transaction.commit();
  }
  check_file(database_);
  reserve_space(database_);
}

std::int64_t Journal::begin(const Subject& subject, const json& search, const json& provenance) {
  const std::scoped_lock lock(mutex_);
  Statement insert(database_,
                   "INSERT INTO runs (family, problem, gpu, source_hash, search, provenance, owner)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?)");
  bind_subject(insert, subject).bind(search.dump()).bind(provenance.dump()).bind(own_identity());
  insert.step();
  return database_.last_inserted();
}

std::optional<std::int64_t> Journal::resume(const Subject& subject, const json& search) {
  const std::scoped_lock lock(mutex_);
  Transaction transaction(database_);
  Statement last(database_,
                 fmt::format("SELECT id, owner FROM runs WHERE {} AND search = ? AND end "
                             "IS NULL ORDER BY id DESC LIMIT 1",
                             of_subject));
  bind_subject(last, subject).bind(search.dump());
  if (!last.step()) return std::nullopt;
  const std::int64_t run = last.integer(0);
  const std::string owner = last.text(1);
  if (owner != own_identity() && is_alive(owner))
    fail(Status::unsupported, "resume: the run is still going on, in process {}",
         owner.substr(owner.find(':') + 1, owner.rfind(':') - owner.find(':') - 1));
  Statement(database_, "UPDATE runs SET owner = ? WHERE id = ?")
      .bind(own_identity())
      .bind(run)
      .step();
  const Outcome abandoned{.cause = Cause::abandoned,
                          .detail = "was running when the tuner ended; it is not run again"};
  Statement(database_,
            "UPDATE candidates SET cause = ?, outcome = ? WHERE run = ? AND outcome IS NULL")
      .bind(name(abandoned.cause))
      .bind(outcome_to_json(abandoned).dump())
      .bind(run)
      .step();
  transaction.commit();
  return run;
}

void Journal::launch(std::int64_t run, const std::string& config, int generation) {
  const std::scoped_lock lock(mutex_);
  database_.execute("PRAGMA synchronous = FULL");  // it may take the machine down
  Statement(database_, "INSERT INTO candidates (run, config, generation) VALUES (?, ?, ?)")
      .bind(run)
      .bind(config)
      .bind(generation)
      .step();
  database_.execute("PRAGMA synchronous = NORMAL");
}

void Journal::record(std::int64_t run, const std::string& config, int generation,
                     const Outcome& outcome) {
  const std::scoped_lock lock(mutex_);
  const std::string text =
      outcome_to_json(outcome).dump(-1, ' ', false, json::error_handler_t::replace);
  Statement(
      database_,
      "INSERT INTO candidates (run, config, generation, cause, outcome) VALUES (?, ?, ?, ?, ?)"
      " ON CONFLICT (run, config) DO UPDATE SET cause = excluded.cause,"
      " outcome = excluded.outcome")
      .bind(run)
      .bind(config)
      .bind(generation)
      .bind(name(outcome.cause))
      .bind(text)
      .step();
}

void Journal::finish(std::int64_t run, const json& end) {
  const std::scoped_lock lock(mutex_);
  Statement(database_, "UPDATE runs SET end = ? WHERE id = ?").bind(end.dump()).bind(run).step();
}

std::map<std::string, Outcome> Journal::outcomes(std::int64_t run) {
  const std::scoped_lock lock(mutex_);
  std::map<std::string, Outcome> known;
  for (JournalRun::Row& row : rows_of(database_, run))
    if (row.outcome) known.emplace(std::move(row.config), std::move(*row.outcome));
  return known;
}

std::map<std::string, Outcome> Journal::breakers(const Subject& subject) {
  const std::scoped_lock lock(mutex_);
  Statement rows(database_, fmt::format("SELECT config, outcome FROM candidates JOIN runs ON run = "
                                        "id WHERE {} AND cause NOT IN ('none') AND outcome IS NOT "
                                        "NULL",
                                        of_subject));
  bind_subject(rows, subject);
  std::map<std::string, Outcome> found;
  while (rows.step()) {
    Outcome outcome = outcome_of(database_, rows.text(1));
    if (took_worker_down(outcome.cause)) found.insert_or_assign(rows.text(0), std::move(outcome));
  }
  return found;
}

std::vector<JournalRun> read_journal(const std::filesystem::path& path) {
  const Database database(path, Database::Access::read);
  check_file(database);
  Statement runs(database,
                 "SELECT id, family, problem, gpu, source_hash, search, provenance, end FROM runs"
                 " ORDER BY id");
  std::vector<JournalRun> result;
  while (runs.step()) {
    const std::string end = runs.text(7);
    result.push_back({.id = runs.integer(0),
                      .subject = {.family = runs.text(1),
                                  .problem = parse(database, runs.text(2)),
                                  .gpu = runs.text(3),
                                  .source_hash = runs.text(4)},
                      .search = parse(database, runs.text(5)),
                      .provenance = parse(database, runs.text(6)),
                      .end = end.empty() ? json(nullptr) : parse(database, end),
                      .rows = rows_of(database, runs.integer(0))});
  }
  return result;
}

bool is_database(const std::filesystem::path& path) {
  constexpr std::string_view magic{"SQLite format 3\0", 16};
  std::ifstream file(path, std::ios::binary);
  std::array<char, 16> bytes{};
  file.read(bytes.data(), bytes.size());
  return file.gcount() == 16 && std::string_view{bytes.data(), bytes.size()} == magic;
}

}  // namespace flashcore::tune
