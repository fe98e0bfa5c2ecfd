// The last word on a search: its finalists and the start, timed in the same rounds; whoever is to
// win, and the start, gated in full.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/run_case.h"
#include "gate/record.h"
#include "tune/search.h"

namespace flashcore::tune {

/// Of a search's evaluations, at most `most`: the fittest, and those whose time may for all the
/// noise be as good. The start, where it passed, comes last whatever its time.
std::vector<std::size_t> choose_finalists(const SearchResult& result, std::size_t most = 4);

/// One that ran in the finals.
struct Finalist {
  std::string config;
  double max_error = 0;  // as the search found it: a term of the fitness
  bool is_start = false;
  gate::CaseRecord record;
};

struct Finals {
  std::vector<Finalist> finalists;
  /// Empty where none passed every gate.
  std::optional<std::size_t> winner;
  std::string reason;  // "forward_mma's default stays: …"
};

/// Who wins: of those that passed every gate the fittest, but the start unless another is faster by
/// more than the noise of their ratio, and by half a percent at least.
void decide(Finals& finals, const Weights& weights);

/// Runs every gate of some of the finalists and adds what came of it to their records.
using RunGates = std::function<void(Finals& finals, std::span<const std::size_t> which)>;

/// Decides on finalists that were timed but not gated. The decision rests on the start and on who
/// leads, so that only these are gated; where the leader fails, the next one is. At large Problems
/// a finalist's gates take many times as long as its rounds.
void decide_gated(Finals& finals, const Weights& weights, const RunGates& run_gates);

/// Runs them, with the peer in the rounds where there is one.
Finals run_finals(const SearchResult& result, const Space& space, std::string_view family,
                  const core::Problem& problem, const Weights& weights,
                  const bench::CaseOptions& options, bench::TorchPeer* peer);

/// With every record in full.
nlohmann::json finals_to_json(const Finals& finals);

}  // namespace flashcore::tune
