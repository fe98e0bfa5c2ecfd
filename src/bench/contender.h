// One variant on one Problem: its worker, its gates, its rounds, its record.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/run_case.h"
#include "bench/worker_client.h"

namespace flashcore::bench {

/// The times of one side, round by round.
struct Series {
  std::vector<double> cold, warm, eager;

  void add(const Round& round) {
    cold.push_back(round.cold_us);
    warm.push_back(round.warm_us);
    eager.push_back(round.eager_us);
  }
  [[nodiscard]] std::optional<gate::Timing> timing() const {
    if (cold.empty()) return std::nullopt;
    return gate::Timing{gate::summarize(cold), gate::summarize(warm), gate::summarize(eager)};
  }
};

/// A peer's backend while it is measured.
struct PeerSeries {
  PeerBackend backend;
  std::string version;
  Series series;
};

class Contender {
 public:
  Contender(const dispatch::Variant& variant, const core::Problem& problem,
            const CaseOptions& options);

  /// Every gate but latency and ladder. Touches nothing that another Contender does.
  void run_gates();
  /// Fills the buffers. Null where the variant does not run here or failed.
  std::optional<Rotation> start_timing();
  /// One turn of this variant; after a failure it does nothing more.
  void measure_into(Series& series);
  void measure_first() { measure_into(first_); }
  void measure_again() { measure_into(again_); }
  /// Checks the timed outputs.
  void check_outputs();
  /// The latency gate and, for a rung, the ladder's, once every round is done.
  void conclude(const std::vector<PeerSeries>& peers, const Ceilings& ceilings);

  [[nodiscard]] core::Support runs_here() const { return dispatch::runs_on(variant_, device_); }
  /// And whether its time means anything and was asked for.
  [[nodiscard]] bool timed_here() const {
    return device_.backend != dispatch::Backend::emulator && !left_out("latency") && runs_here();
  }
  /// Whether it is still being measured.
  [[nodiscard]] bool timing() const { return rotation_.has_value(); }
  [[nodiscard]] const gate::CaseRecord& record() const { return record_; }

 private:
  nlohmann::json ask(nlohmann::json request, std::string_view phase);
  [[nodiscard]] bool left_out(std::string_view gate) const;
  void run_ptxas();
  void run_gate(const std::string& name);
  void take_choice(const nlohmann::json& answer);
  void fail_timing(const PhaseFailure& failure);
  void compare(const std::vector<PeerSeries>& peers);
  [[nodiscard]] gate::PeerComparison comparison_with(const PeerSeries& peer) const;
  [[nodiscard]] gate::RooflineRecord roofline(const Ceilings& ceilings) const;

  const dispatch::Variant& variant_;
  const CaseOptions& options_;
  const dispatch::Device device_;
  WorkerClient worker_;
  gate::CaseRecord record_;
  std::optional<Rotation> rotation_;
  Series first_, again_;  // its two turns in each round
  std::string wrong_outputs_;
};

}  // namespace flashcore::bench
