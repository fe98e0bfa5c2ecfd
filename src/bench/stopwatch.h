// Times a plan, one round at a time, so that rounds of several contenders can be interleaved.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "gate/target.h"

namespace flashcore::bench {

/// One round's times of a call, in microseconds (see gate::Timing for what they mean).
struct Round {
  double cold_us = 0;
  double warm_us = 0;
  double eager_us = 0;
};

/// How the cold and the warm buffers are used.
struct Rotation {
  std::int64_t footprint_bytes =
      0;  // what the sets add up to at least: beyond the last cache twice
  std::int64_t sets = 1;
  std::int64_t launches = 1;  // per graph on a GPU, calls per round on the CPU
};

class Stopwatch {
 public:
  Stopwatch() = default;
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  virtual ~Stopwatch() = default;

  [[nodiscard]] virtual Rotation rotation() const = 0;
  virtual Round measure() = 0;
  /// Holds outputs that the timed calls left to the oracle. Empty when they are correct.
  virtual std::string check_outputs() = 0;
};

/// Fills buffer sets with fresh inputs drawn by the seed and poisons their outputs. The target must
/// outlive it.
std::unique_ptr<Stopwatch> make_stopwatch(const gate::Target& target, std::uint64_t seed);

/// Sets and launches for a Problem: enough sets to exceed the footprint, at least one; each used
/// equally often; `call_us` keeps slow calls from taking all day.
Rotation plan_rotation(double set_bytes, std::int64_t footprint_bytes, double call_us,
                       std::int64_t most_launches);

}  // namespace flashcore::bench
