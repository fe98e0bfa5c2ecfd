// One benchmarked case as it is recorded: the result file's schema, version 1 (docs/benchmark.md).
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/problem.h"
#include "gate/gate.h"
#include "gate/statistics.h"
#include "jit/binary.h"

namespace flashcore::gate {

inline constexpr int schema_version = 1;

/// Times of one call, in microseconds. On a GPU cold and warm are device time and eager is host
/// call to completion; on the CPU all three are the call's wall time, and eager is warm.
struct Timing {
  Summary cold;  // buffers that no cache holds
  Summary warm;  // the same buffers every time
  Summary eager;

  bool operator==(const Timing&) const = default;
};

/// Cold times round by round, in microseconds: a variant has two turns in each.
struct Turns {
  std::vector<double> first, again;

  bool operator==(const Turns&) const = default;
};

/// Our cold time over a peer's, from rounds measured side by side: below 1 is faster.
struct PeerComparison {
  Summary ratio;
  double noise = 0;  // relative, of ours measured against itself

  bool operator==(const PeerComparison&) const = default;
};

struct PeerRecord {
  std::string name;     // "torch_sdpa"
  std::string backend;  // "flash", "cudnn", "efficient", "cpu"
  std::string version;
  std::optional<Timing> timing;
  std::optional<PeerComparison> comparison;
  std::string not_measured;  // why, where there is no timing

  bool operator==(const PeerRecord&) const = default;
};

struct PtxasRecord {
  jit::ResourceReport report;  // over the variant's kernels, the largest of each
  int register_budget = 0;

  bool operator==(const PtxasRecord&) const = default;
};

/// The comparison with the fastest peer.
struct RatioRecord {
  std::string peer;  // "torch_sdpa flash"
  Summary ratio;
  double noise = 0;

  bool operator==(const RatioRecord&) const = default;
};

/// What no implementation can beat: the time that the arithmetic or the traffic takes at peak rate.
struct RooflineRecord {
  double bound_us = 0;
  double fraction = 0;  // bound over the cold time; above 1 the measurement is wrong
  // What the bound is made of, and what a matrix product and a copy reached on this machine in the
  // same run; 0 where it is not known.
  double peak_tflops = 0;
  double peak_gb_per_s = 0;
  double measured_tflops = 0;
  double measured_gb_per_s = 0;

  bool operator==(const RooflineRecord&) const = default;
};

struct CaseRecord {
  std::string variant, backend, family, config;
  std::string reason;  // why this Config: "asked for; tuned for exactly this Problem"
  core::Problem problem;
  std::map<std::string, GateResult> gates;
  std::optional<Timing> timing;
  Turns cold_turns;                          // empty where nothing was timed
  double noise = 0;                          // relative, of the cold time
  std::map<std::string, PtxasRecord> ptxas;  // by architecture
  std::vector<PeerRecord> peers;
  std::optional<RatioRecord> best_peer;
  std::optional<RooflineRecord> roofline;

  [[nodiscard]] bool on_gpu() const { return backend == "cuda"; }
  /// At the cold median; 0 where nothing was measured.
  [[nodiscard]] double tflops() const;
};

nlohmann::json case_to_json(const CaseRecord& record);
nlohmann::json gate_to_json(const GateResult& result);
nlohmann::json ptxas_to_json(const PtxasRecord& record);

/// A message names the place in the JSON, as "cases[0].gates.latency.status: …".
CaseRecord case_from_json(const nlohmann::json& json, const std::string& path);
GateResult gate_from_json(const nlohmann::json& json, const std::string& path);
PtxasRecord ptxas_from_json(const nlohmann::json& json, const std::string& path);

/// Throws invalid_argument where the document is not of the schema that is known.
void check_schema(const nlohmann::json& document);

/// Every case of a result file. Throws io where it cannot be read, invalid_argument naming file and
/// place where it is not what the schema says.
std::vector<CaseRecord> read_results(const std::filesystem::path& file);
std::vector<CaseRecord> read_results(const nlohmann::json& document, const std::string& file);

/// A JSON file. Throws io where it cannot be read, invalid_argument where it is none.
nlohmann::json read_document(const std::filesystem::path& file);

}  // namespace flashcore::gate
