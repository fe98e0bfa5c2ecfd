#include "tune/database.h"

#include <chrono>
#include <string>
#include <thread>

#include "core/error.h"

namespace flashcore::tune {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds longest_wait{30'000};
constexpr milliseconds between_tries{2};

sqlite3* open_database(const std::filesystem::path& path, Database::Access access) {
  const int flags = access == Database::Access::read ? SQLITE_OPEN_READONLY
                                                     : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  sqlite3* handle = nullptr;
  if (sqlite3_open_v2(path.c_str(), &handle, flags, nullptr) == SQLITE_OK) return handle;
  const std::string why = handle == nullptr ? "out of memory" : sqlite3_errmsg(handle);
  sqlite3_close(handle);
  core::fail(core::Status::io, "journal: {}: {}", path.string(), why);
}

}  // namespace

Statement::Statement(const Database& database, std::string_view sql)
    : database_(database), statement_(nullptr, sqlite3_finalize) {
  sqlite3_stmt* statement = nullptr;
  check(sqlite3_prepare_v2(database.handle(), sql.data(), static_cast<int>(sql.size()), &statement,
                           nullptr));
  statement_.reset(statement);
}

void Statement::check(int code) const {
  if (code != SQLITE_OK) database_.fail();
}

Statement& Statement::bind(std::int64_t value) {
  check(sqlite3_bind_int64(statement_.get(), ++bound_, value));
  return *this;
}

Statement& Statement::bind(std::string_view text) {
  check(sqlite3_bind_text(statement_.get(), ++bound_, text.data(), static_cast<int>(text.size()),
                          SQLITE_TRANSIENT));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code != SQLITE_ROW && code != SQLITE_DONE) database_.fail();
  return code == SQLITE_ROW;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

Database::Database(std::filesystem::path path, Access access)
    : path_(std::move(path)), handle_(open_database(path_, access), sqlite3_close) {
  sqlite3_busy_timeout(handle_.get(), static_cast<int>(longest_wait.count()));
}

void Database::execute(const char* sql) const {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
}

void Database::use_write_ahead_log() const {
  // The change reads, then wants the file for itself. Of two connections that do so at once SQLite
  // tells one that it is busy without the wait of sqlite3_busy_timeout, which would be a deadlock.
  const auto deadline = steady_clock::now() + longest_wait;
  const auto change = [&] {
    return sqlite3_exec(handle_.get(), "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
  };
  int code = change();
  for (; code == SQLITE_BUSY && steady_clock::now() < deadline; code = change())
    std::this_thread::sleep_for(between_tries);
  if (code != SQLITE_OK) fail();
}

std::int64_t Database::last_inserted() const {
  return sqlite3_last_insert_rowid(handle_.get());
}

void Database::fail() const {
  core::fail(core::Status::io, "journal: {}: {}", path_.string(), sqlite3_errmsg(handle_.get()));
}

Transaction::Transaction(const Database& database) : database_(database) {
  database_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  // Where this fails too, SQLite undoes it when the file is opened next.
  if (open_) sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace flashcore::tune
