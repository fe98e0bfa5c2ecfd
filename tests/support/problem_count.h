// How long the property tests run.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace flashcore::test {

/// What the environment's variable says, which slow tools and long runs set, or `usual`.
inline std::uint64_t count_from(const char* variable, std::uint64_t usual) {
  const char* given = std::getenv(variable);
  return given == nullptr ? usual : std::strtoull(given, nullptr, 10);
}

/// How many random Problems to run.
inline std::uint64_t problem_count(std::uint64_t usual) {
  return count_from("FLASHCORE_TEST_PROBLEMS", usual);
}
/// How many orders of an emulated kernel's threads and copies.
inline std::uint64_t schedule_count(std::uint64_t usual) {
  return count_from("FLASHCORE_TEST_SCHEDULES", usual);
}
/// How many launches on a GPU.
inline std::uint64_t launch_count(std::uint64_t usual) {
  return count_from("FLASHCORE_TEST_LAUNCHES", usual);
}

}  // namespace flashcore::test
