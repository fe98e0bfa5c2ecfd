#include "cli/table.h"

#include <algorithm>

#include "core/error.h"

namespace flashcore::cli {

namespace {

std::size_t width_of(const std::string& text) {
  const auto starts_code_point = [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_code_point));
}

}  // namespace

void Table::add_row(std::vector<std::string> cells) {
  if (cells.size() > columns_.size())
    core::fail(core::Status::internal, "table: a row of {} cells in a table of {} columns",
               cells.size(), columns_.size());
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

void Table::add_rule() {
  rows_.emplace_back();
}

std::size_t Table::rows() const {
  return static_cast<std::size_t>(
      std::count_if(rows_.begin(), rows_.end(), [](const auto& row) { return !row.empty(); }));
}

std::string Table::to_string() const {
  std::vector<std::size_t> widths;
  std::vector<std::string> header;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    header.push_back(columns_[i].header);
    widths.push_back(width_of(header.back()));
    for (const auto& row : rows_)
      if (!row.empty()) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  const auto write = [&](const std::vector<std::string>& cells, const std::string& fill) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      std::string padding;
      const std::size_t used = cells.empty() ? 0 : width_of(cells[i]);
      for (std::size_t blank = used; blank < widths[i]; ++blank) padding += fill;
      if (i > 0) line += "  ";
      const std::string cell = cells.empty() ? "" : cells[i];
      line += columns_[i].align == Align::right ? padding + cell : cell + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  };
  write(header, " ");
  write({}, "-");
  for (const auto& row : rows_) write(row, row.empty() ? "-" : " ");
  return text;
}

}  // namespace flashcore::cli
