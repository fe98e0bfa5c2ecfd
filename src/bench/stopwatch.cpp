#include "bench/stopwatch.h"

#include <algorithm>
#include <cmath>

#include "bench/stopwatch_backends.h"

namespace flashcore::bench {

Rotation plan_rotation(double set_bytes, std::int64_t footprint_bytes, double call_us,
                       std::int64_t most_launches) {
  constexpr std::int64_t most_sets = 8192;
  constexpr double graph_us = 1e4;  // enough for a graph's start and the clock's steps to vanish
  constexpr double slow_call_us = 5e4;
  const double needed = static_cast<double>(footprint_bytes) / std::max(set_bytes, 1.0);
  Rotation rotation{.footprint_bytes = footprint_bytes};
  rotation.sets = std::clamp<std::int64_t>(static_cast<std::int64_t>(needed) + 1, 1, most_sets);
  const auto affordable = static_cast<std::int64_t>(graph_us / std::max(call_us, 0.1));
  const std::int64_t least = std::min<std::int64_t>(call_us < slow_call_us ? 2 : 1, most_launches);
  const std::int64_t wanted = std::clamp(affordable, least, most_launches);
  // Whole turns through the sets, so that every set is visited equally often.
  const std::int64_t turns = (wanted + rotation.sets - 1) / rotation.sets;
  rotation.launches = rotation.sets * turns;
  return rotation;
}

std::unique_ptr<Stopwatch> make_stopwatch(const gate::Target& target, std::uint64_t seed) {
  return target.device().backend == dispatch::Backend::cpu ? make_cpu_stopwatch(target, seed)
                                                           : make_gpu_stopwatch(target, seed);
}

}  // namespace flashcore::bench
