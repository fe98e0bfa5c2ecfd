#include "profile/ncu_csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "core/error.h"
#include "io/process.h"

namespace flashcore::profile {

using core::fail;
using core::Status;

namespace {

/// "1,234.5" is 1234.5; "n/a", "" and what is not finite are no numbers.
std::optional<double> number_of(std::string text) {
  std::erase(text, ',');
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

/// The row of units has no id; ncu's own messages and the program's output are no rows at all.
bool is_kernel_row(const std::vector<std::string>& fields, std::size_t id_column) {
  return id_column < fields.size() && number_of(fields[id_column]).has_value();
}

std::string excerpt_of(const std::string& line) {
  return line.size() > 60 ? line.substr(0, 57) + "..." : line;
}

}  // namespace

std::vector<std::string> split_csv(std::string_view line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  return fields;
}

std::vector<KernelSample> parse_ncu_csv(const std::string& output) {
  std::vector<std::string> header;
  std::vector<KernelSample> samples;
  const auto column = [&](std::string_view name) {
    return static_cast<std::size_t>(std::find(header.begin(), header.end(), name) - header.begin());
  };
  for (const std::string& line : io::lines_of(output)) {
    if (!line.starts_with('"') && !line.starts_with("ID,")) continue;
    const std::vector<std::string> fields = split_csv(line);
    if (fields.front() == "ID") {
      header = fields;
      continue;
    }
    if (header.empty() || !is_kernel_row(fields, column("ID"))) continue;
    if (fields.size() != header.size())
      fail(Status::invalid_argument, "a row of {} fields under a header of {}: '{}'", fields.size(),
           header.size(), excerpt_of(line));
    KernelSample sample;
    for (std::size_t i = 0; i < header.size(); ++i) {
      if (header[i] == "Kernel Name") sample.name = fields[i];
      if (header[i] == "Grid Size") sample.grid = fields[i];
      if (header[i] == "Block Size") sample.block = fields[i];
      if (const auto value = number_of(fields[i])) sample.metrics[header[i]] = *value;
    }
    samples.push_back(std::move(sample));
  }
  if (header.empty())
    fail(Status::invalid_argument, "there is no header row that begins with \"ID\"");
  if (column("Kernel Name") == header.size())
    fail(Status::invalid_argument, "the header row has no \"Kernel Name\"");
  if (samples.empty()) fail(Status::invalid_argument, "no kernel's row follows the header");
  return samples;
}

}  // namespace flashcore::profile
