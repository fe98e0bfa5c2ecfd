// The two stopwatches behind make_stopwatch, and what they share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/stopwatch.h"

namespace flashcore::bench {

std::unique_ptr<Stopwatch> make_cpu_stopwatch(const gate::Target& target, std::uint64_t seed);
std::unique_ptr<Stopwatch> make_gpu_stopwatch(const gate::Target& target, std::uint64_t seed);

using DistinctCalls = std::shared_ptr<const std::vector<core::HostCall>>;

/// Buffer set i holds the inputs of distinct_calls()[i % size]: drawing them anew for each of
/// hundreds of sets would take longer than the measurement.
DistinctCalls distinct_calls(const core::Problem& problem, std::uint64_t seed);

/// The oracle's objection to a timed output; empty when it is correct.
std::string objection_to(core::HostCall& call, std::int64_t set, std::uint64_t seed);

/// The sets whose outputs are checked: the first, one in the middle, the last.
std::vector<std::int64_t> checked_sets(const Rotation& rotation);

}  // namespace flashcore::bench
