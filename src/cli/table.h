// A table for people: headers, rows, columns as wide as they need.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace flashcore::cli {

enum class Align { left, right };

struct Column {
  std::string header;
  Align align = Align::left;  // numbers go right
};

/// Cells are UTF-8; widths count code points. Rows shorter than the header are filled with blanks.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Throws internal for a row with more cells than columns.
  void add_row(std::vector<std::string> cells);
  /// A line across the table before the next row.
  void add_rule();
  [[nodiscard]] std::size_t rows() const;

  /// Header, rule and rows, each ended by a newline, none with trailing blanks.
  [[nodiscard]] std::string to_string() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;  // an empty row is a rule
};

}  // namespace flashcore::cli
