#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "bench/stopwatch_backends.h"
#include "gate/sampling.h"

namespace flashcore::bench {

namespace {

constexpr double oracle_budget = 0x1p26;  // multiply-adds per checked output

std::vector<core::HostCall> draw_calls(const core::Problem& problem, std::uint64_t seed) {
  // Large Problems have few sets, and each set takes long to draw.
  const int count = problem.bytes() > 0x1p26 ? 1 : 4;
  std::vector<core::HostCall> calls;
  for (int i = 0; i < count; ++i)
    calls.push_back(core::HostCall::random(problem, seed + static_cast<std::uint64_t>(i)));
  return calls;
}

}  // namespace

DistinctCalls distinct_calls(const core::Problem& problem, std::uint64_t seed) {
  // A tuner's worker times one Config after the other on the same inputs.
  static std::mutex mutex;
  static DistinctCalls last;
  static std::uint64_t last_seed = 0;
  const std::scoped_lock lock(mutex);
  if (last == nullptr || last->front().problem != problem || last_seed != seed)
    last = std::make_shared<const std::vector<core::HostCall>>(draw_calls(problem, seed));
  last_seed = seed;
  return last;
}

std::string objection_to(core::HostCall& call, std::int64_t set, std::uint64_t seed) {
  const gate::Accuracy accuracy = gate::check_sampled(call, true, seed, oracle_budget);
  return accuracy.correct ? "" : fmt::format("timed buffer set {}: {}", set, accuracy.reason);
}

std::vector<std::int64_t> checked_sets(const Rotation& rotation) {
  if (rotation.sets == 1) return {0};
  return {0, rotation.sets / 2, rotation.sets - 1};
}

}  // namespace flashcore::bench
