#include "emulate/finding.h"

#include <fmt/format.h>

#include "emulate/addr2line.h"

namespace flashcore::emulate {

std::string Finding::to_string() const {
  std::string message = label.empty() ? std::string{} : label + ": ";
  message += fmt::format("block {}", block);
  if (thread >= 0) message += fmt::format(", thread {}", thread);
  if (!where.text.empty()) message += ", " + where.text;
  message += ": ";
  for (const Part& part : parts) {
    message += part.text;
    if (!part.where.text.empty()) message += " at " + part.where.text;
  }
  return message;
}

void name_lines(const std::vector<SourceLine*>& lines) {
  std::vector<SourceLine*> unnamed;
  std::vector<const void*> addresses;
  for (SourceLine* line : lines) {
    if (!line->text.empty() || line->code == nullptr) continue;
    unnamed.push_back(line);
    addresses.push_back(line->code);
  }
  if (unnamed.empty()) return;
  const std::vector<std::string> names = source_lines(addresses);
  for (std::size_t i = 0; i < unnamed.size(); ++i) unnamed[i]->text = names[i];
}

void name_lines(std::vector<Finding>& findings) {
  std::vector<SourceLine*> lines;
  for (Finding& finding : findings) {
    lines.push_back(&finding.where);
    for (Finding::Part& part : finding.parts) lines.push_back(&part.where);
  }
  name_lines(lines);
}

}  // namespace flashcore::emulate
