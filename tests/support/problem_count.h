// How long the property tests run.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace flashcore::test {

/// How many random Problems to run: $FLASHCORE_TEST_PROBLEMS, which slow tools set, or `usual`.
inline std::uint64_t problem_count(std::uint64_t usual) {
  const char* given = std::getenv("FLASHCORE_TEST_PROBLEMS");
  return given == nullptr ? usual : std::strtoull(given, nullptr, 10);
}

}  // namespace flashcore::test
