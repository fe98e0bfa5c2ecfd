#include "jit/ptxas_log.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "core/error.h"
#include "jit/lines.h"

namespace flashcore::jit {
namespace {

/// The number that stands right before `unit`: 32 in "…, 32 bytes stack frame, …".
std::optional<int> number_before(std::string_view line, std::string_view unit) {
  const auto at = line.find(unit);
  if (at == std::string_view::npos) return std::nullopt;
  auto begin = at;
  while (begin > 0 && line[begin - 1] >= '0' && line[begin - 1] <= '9') --begin;
  int value = 0;
  const auto [end, error] = std::from_chars(line.data() + begin, line.data() + at, value);
  if (begin == at || error != std::errc{} || end != line.data() + at) return std::nullopt;
  return value;
}

/// The name in "Compiling entry function 'name' for 'sm_80'"; empty in any other line.
std::string_view entry_name(std::string_view line) {
  constexpr std::string_view prefix = "Compiling entry function '";
  const auto at = line.find(prefix);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + prefix.size());
  return line.substr(0, line.find('\''));
}

/// Whether a line says so, in whatever words for the cause, of this function. Such lines come
/// before the entries' headings.
bool says_serialized(std::string_view line, std::string_view symbol) {
  return line.find("wgmma.mma_async instructions are serialized") != std::string_view::npos &&
         line.find('\'' + std::string{symbol} + '\'') != std::string_view::npos;
}

/// The part of the log that belongs to the entry: from its own heading to the next entry's.
std::string_view section_of(std::string_view log, std::string_view symbol) {
  std::optional<std::size_t> begin, end;
  for_each_line(log, [&](std::string_view line, std::size_t at) {
    const std::string_view name = entry_name(line);
    if (!name.empty() && begin && !end) end = at;
    if (name == symbol && !begin) begin = at;
  });
  if (!begin) return {};
  return log.substr(*begin, end.value_or(log.size()) - *begin);
}

/// Adds to a sum; a number that is missing makes the sum unknown.
void add(std::optional<int>& sum, std::optional<int> number) {
  sum = sum && number ? std::optional(*sum + *number) : std::nullopt;
}

/// What has been read of a section.
struct Findings {
  std::optional<int> registers;
  std::optional<int> stack = 0, spill_stores = 0, spill_loads = 0;  // of all functions
  bool properties_seen = false;
  ResourceReport report;

  void read(std::string_view line) {
    if (line.find(" bytes stack frame") != std::string_view::npos) {
      properties_seen = true;
      add(stack, number_before(line, " bytes stack frame"));
      add(spill_stores, number_before(line, " bytes spill stores"));
      add(spill_loads, number_before(line, " bytes spill loads"));
    }
    if (const auto used = number_before(line, " registers"); used && !registers) {
      registers = used;
      // ptxas leaves these out where they are 0.
      report.barriers = number_before(line, " barriers").value_or(0);
      report.shared_bytes = number_before(line, " bytes smem").value_or(0);
      report.stack_bytes = number_before(line, " bytes cumulative stack size").value_or(0);
    }
  }
};

int required(const std::optional<int>& value, std::string_view what, std::string_view symbol) {
  if (!value) core::fail(core::Status::compile_failed, "ptxas log: no {} of {}", what, symbol);
  return *value;
}

}  // namespace

ResourceReport parse_ptxas_log(std::string_view log, std::string_view symbol) {
  const std::string_view section = section_of(log, symbol);
  if (section.empty())
    core::fail(core::Status::compile_failed, "ptxas log: nothing of {} in {} characters", symbol,
               log.size());
  Findings findings;
  for_each_line(section, [&](std::string_view line, std::size_t) { findings.read(line); });
  if (!findings.properties_seen)
    core::fail(core::Status::compile_failed, "ptxas log: no stack frame and spills of {}", symbol);
  ResourceReport report = findings.report;
  report.registers = required(findings.registers, "register count", symbol);
  report.stack_bytes =
      std::max(report.stack_bytes, required(findings.stack, "stack frame", symbol));
  report.spill_bytes = required(findings.spill_stores, "spill stores", symbol) +
                       required(findings.spill_loads, "spill loads", symbol);
  for_each_line(log, [&](std::string_view line, std::size_t) {
    report.serialized_products = report.serialized_products || says_serialized(line, symbol);
  });
  return report;
}

}  // namespace flashcore::jit
