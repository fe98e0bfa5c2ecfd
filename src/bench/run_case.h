// One case from beginning to end: every gate, the measurement, the peers beside it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/peer.h"
#include "bench/worker_pool.h"
#include "dispatch/variants.h"
#include "gate/latency.h"
#include "gate/record.h"

namespace flashcore::bench {

/// For the tests: makes the worker misbehave when it is asked for a phase (a gate's name,
/// "start_timing", "measure", "check_outputs").
struct Fault {
  std::string phase;
  std::string kind;
};

struct CaseOptions {
  std::vector<std::string> worker_command{"/proc/self/exe", "worker"};
  std::chrono::duration<double> phase_limit{300};
  int ordinal = 0;
  std::optional<core::Arch> emulated;  // on the emulator of that GPU, which is not timed
  bool overlap = false;  // our launches may begin before what is ahead of them has ended
  int rounds = 15;
  int trials = 20;
  std::uint64_t seed = 1;
  gate::LatencyTargets targets;
  std::vector<std::string> gates_left_out;  // recorded as skipped; "latency": nothing is timed
  bool as_rung = false;                     // judges each variant against its limit on the ladder
  WorkerPool* workers = nullptr;            // where to find workers and leave them; null: new ones
  Fault fault;
  std::function<void(std::string_view)> progress = [](std::string_view) {};
};

/// Where a variant runs with these options.
dispatch::Device device_of(const dispatch::Variant& variant, const CaseOptions& options);

/// Several variants of one backend on one Problem. Their gates run side by side; the times are
/// taken in the same rounds, in turns, with the peers between each variant's two. Never throws for
/// what a variant or a peer does. `progress` may be called by several threads at once.
std::vector<gate::CaseRecord> run_cases(std::span<const dispatch::Variant* const> variants,
                                        const core::Problem& problem, const CaseOptions& options,
                                        TorchPeer* peer);

/// One variant. Never throws for what the variant or a peer does: that is what the record says.
/// `peer` null: none.
gate::CaseRecord run_case(const dispatch::Variant& variant, const core::Problem& problem,
                          const CaseOptions& options, TorchPeer* peer);

}  // namespace flashcore::bench
