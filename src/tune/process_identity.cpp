#include "tune/process_identity.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace flashcore::tune {

namespace {

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

/// "boot:number:start"; the start is field 22 of proc(5)'s stat, counted after the name's bracket.
/// Empty where there is no such process.
std::string identity_of(const std::string& number) {
  std::ifstream file("/proc/" + number + "/stat");
  std::string stat;
  std::getline(file, stat);
  const auto bracket = stat.rfind(')');
  if (bracket == std::string::npos) return {};
  std::istringstream fields(stat.substr(bracket + 1));
  std::string state, field;
  fields >> state;
  constexpr int fields_until_start = 19;
  for (int i = 0; i < fields_until_start; ++i) fields >> field;
  if (state == "Z") return {};  // ended, and nobody has asked how
  return fmt::format("{}:{}:{}", boot_id(), number, field);
}

}  // namespace

std::string own_identity() {
  return identity_of(std::to_string(getpid()));
}

bool is_alive(std::string_view identity) {
  const auto first = identity.find(':');
  const auto last = identity.rfind(':');
  if (first == std::string_view::npos || first == last) return false;
  return identity_of(std::string{identity.substr(first + 1, last - first - 1)}) == identity;
}

}  // namespace flashcore::tune
