// SQLite as the journal needs it: a connection and statements that close themselves, and errors
// that name the file.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace flashcore::tune {

class Database;

/// One SQL statement with its values. Everything throws io with the file and SQLite's words.
class Statement {
 public:
  Statement(const Database& database, std::string_view sql);

  /// The next ?, in their order.
  Statement& bind(std::int64_t value);
  Statement& bind(std::string_view text);

  /// Goes to the next row; false where there is none.
  bool step();
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string text(int column) const;  // empty for null

 private:
  void check(int code) const;

  const Database& database_;
  std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement_;
  int bound_ = 0;
};

class Database {
 public:
  enum class Access { read, write };

  /// To write, the file is made where it is not. Waits for other writers, up to half a minute.
  explicit Database(std::filesystem::path path, Access access);

  /// One statement or several, with no values.
  void execute(const char* sql) const;

  /// What is written goes to a log first, so that readers and a writer do not wait for each other.
  /// The file stays so. Waits for those that have it open, as every other write does.
  void use_write_ahead_log() const;
  [[nodiscard]] std::int64_t last_inserted() const;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] sqlite3* handle() const { return handle_.get(); }
  [[noreturn]] void fail() const;

 private:
  std::filesystem::path path_;
  std::unique_ptr<sqlite3, decltype(&sqlite3_close)> handle_;
};

/// All or nothing: what was executed since is undone unless commit() was reached.
class Transaction {
 public:
  explicit Transaction(const Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  const Database& database_;
  bool open_ = true;
};

}  // namespace flashcore::tune
