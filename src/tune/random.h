// Chance that is the same with every compiler and library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

namespace flashcore::tune {

class Random {
 public:
  explicit Random(std::uint64_t seed) : generator_(seed) {}

  /// In [0, count); count is at least 1.
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(generator_() % count); }
  /// In [0, 1).
  double uniform() { return static_cast<double>(generator_() >> 11) * 0x1p-53; }
  bool chance(double probability) { return uniform() < probability; }

 private:
  std::mt19937_64 generator_;  // whose numbers the standard fixes; its distributions' it does not
};

}  // namespace flashcore::tune
