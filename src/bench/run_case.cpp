#include "bench/run_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/roofline.h"
#include "bench/worker_client.h"
#include "core/error.h"
#include "cpu/backend.h"
#include "gate/json_reader.h"

namespace flashcore::bench {

using gate::CaseRecord;
using gate::JsonReader;
using nlohmann::json;

namespace {

/// The times of one contender, round by round.
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
  Series series;
};

class CaseRun {
 public:
  CaseRun(const dispatch::Variant& variant, const core::Problem& problem,
          const CaseOptions& options, TorchPeer* peer)
      : variant_(variant), options_(options), peer_(peer), worker_(variant, problem, options) {
    record_.variant = variant.name;
    record_.backend = dispatch::name(variant.backend);
    record_.family = variant.family;
    record_.config = variant.config;
    record_.problem = problem;
  }

  CaseRecord run() {
    run_ptxas();
    if (const core::Support here = dispatch::runs_here(variant_); !here) {
      skip_from_correctness(here.reason());
      return record_;
    }
    for (const char* gate : {"correctness", "determinism", "stability", "safety"}) run_gate(gate);
    run_latency();
    return record_;
  }

 private:
  json ask(json request, std::string_view phase) {
    options_.progress(phase);
    return worker_.ask(std::move(request), phase);
  }

  static gate::GateResult failure_of(const PhaseFailure& failure) {
    return failure.unsupported() ? gate::skipped(failure.what()) : gate::broken(failure.what());
  }

  void skip_from_correctness(const std::string& why) {
    for (const std::string_view gate : gate::gate_names)
      if (gate != "ptxas") record_.gates[std::string{gate}] = gate::skipped(why);
  }

  void run_ptxas() {
    gate::GateResult& result = record_.gates["ptxas"];
    try {
      const json answer = ask({{"do", "ptxas"}}, "ptxas");
      result = gate::gate_from_json(answer.at("gate"), "answer.gate");
      JsonReader{answer, "answer"}.at("reports").for_each_member(
          [&](const std::string& arch, const JsonReader& report) {
            record_.ptxas[arch] = gate::ptxas_from_json(report.value(), report.path());
          });
    } catch (const PhaseFailure& failure) {
      result = failure_of(failure);
    }
  }

  void run_gate(const std::string& name) {
    gate::GateResult& result = record_.gates[name];
    try {
      const json answer = ask({{"do", "gate"}, {"gate", name}, {"trials", options_.trials}}, name);
      result = gate::gate_from_json(answer.at("gate"), "answer.gate");
      take_choice(answer);
    } catch (const PhaseFailure& failure) {
      result = failure_of(failure);
    }
  }

  void take_choice(const json& answer) {
    record_.family = answer.at("family").get<std::string>();
    record_.config = answer.at("config").get<std::string>();
  }

  void run_latency() {
    gate::GateResult& result = record_.gates["latency"];
    try {
      measure();
      const std::string why =
          ask({{"do", "check_outputs"}}, "check_outputs").at("why").get<std::string>();
      result = gate::judge_latency(record_, why.empty() ? 0 : 1, options_.targets);
      if (!why.empty()) result.detail += "; " + why;
    } catch (const PhaseFailure& failure) {
      record_.timing.reset();
      record_.best_peer.reset();
      result = failure_of(failure);
    }
  }

  void measure() {
    const json answer = ask({{"do", "start_timing"}}, "start_timing");
    take_choice(answer);
    const Rotation rotation{.footprint_bytes = answer.at("footprint_bytes").get<std::int64_t>(),
                            .sets = answer.at("sets").get<std::int64_t>(),
                            .launches = answer.at("launches").get<std::int64_t>()};
    prepare_peers(rotation);
    Series ours, again;
    const auto start = std::chrono::steady_clock::now();
    for (int round = 0; round < options_.rounds; ++round) {
      options_.progress(fmt::format("round {} of {}", round + 1, options_.rounds));
      ours.add(measure_ours());
      for (PeerSeries& peer : peers_) measure_peer(peer);
      again.add(measure_ours());
      // A call that takes seconds repeats itself well enough in fewer rounds.
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      if (round >= 2 && elapsed.count() > longest_measurement_s) break;
    }
    conclude(ours, again, rotation);
  }

  void prepare_peers(const Rotation& rotation) {
    if (peer_ == nullptr) return;
    options_.progress("torch");
    const PeerTask task{.problem = record_.problem,
                        .on_gpu = record_.on_gpu(),
                        .ordinal = options_.ordinal,
                        .threads = cpu::thread_count(),
                        .seed = options_.seed,
                        .rotation = rotation};
    for (PeerBackend& backend : peer_->prepare(task)) peers_.push_back({std::move(backend), {}});
  }

  Round measure_ours() {
    settle();
    const json answer = worker_.ask({{"do", "measure"}}, "measure");
    return {.cold_us = answer.at("cold_us").get<double>(),
            .warm_us = answer.at("warm_us").get<double>(),
            .eager_us = answer.at("eager_us").get<double>()};
  }

  void measure_peer(PeerSeries& peer) {
    if (!peer.backend.not_measured.empty()) return;
    settle();
    try {
      peer.series.add(peer_->measure(peer.backend.name));
    } catch (const ChildFailure& failure) {
      peer.backend.not_measured = failure.what();
      peer.series = {};
    }
  }

  /// Threads that wait for their next task by spinning have gone to sleep by then.
  static void settle() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }

  void conclude(const Series& ours, const Series& again, const Rotation& rotation) {
    Series both = ours;
    for (std::size_t i = 0; i < again.cold.size(); ++i)
      both.add({again.cold[i], again.warm[i], again.eager[i]});
    record_.timing = both.timing();
    record_.noise = gate::noise_of(ours.cold, again.cold);
    double fastest = 0;
    for (const PeerSeries& peer : peers_) {
      record_.peers.push_back({.name = "torch_sdpa",
                               .backend = peer.backend.name,
                               .version = peer_->version(),
                               .timing = peer.series.timing(),
                               .not_measured = peer.backend.not_measured});
      const auto& timing = record_.peers.back().timing;
      if (!timing || (fastest > 0 && timing->cold.median >= fastest)) continue;
      fastest = timing->cold.median;
      record_.best_peer = ratio_to(peer, ours, again);
    }
    const double bound = record_.on_gpu()
                             ? gpu_bound_us(record_.problem, cuda::device_info(options_.ordinal),
                                            static_cast<double>(rotation.footprint_bytes))
                             : cpu_bound_us(record_.problem, cpu::thread_count());
    record_.roofline = {.bound_us = bound, .fraction = bound / record_.timing->cold.min};
  }

  /// The peer's turn lies between our two; their mean cancels what drifts during a round.
  gate::RatioRecord ratio_to(const PeerSeries& peer, const Series& ours, const Series& again) {
    std::vector<double> around;
    for (std::size_t i = 0; i < ours.cold.size(); ++i)
      around.push_back((ours.cold[i] + again.cold[i]) / 2);
    const auto ratios = gate::round_ratios(around, peer.series.cold);
    return {.peer = "torch_sdpa " + peer.backend.name,
            .ratio = gate::summarize(ratios),
            .noise = std::max(record_.noise, gate::median_error(ratios))};
  }

  static constexpr double longest_measurement_s = 60;

  const dispatch::Variant& variant_;
  const CaseOptions& options_;
  TorchPeer* peer_;
  WorkerClient worker_;
  CaseRecord record_;
  std::vector<PeerSeries> peers_;
};

}  // namespace

CaseRecord run_case(const dispatch::Variant& variant, const core::Problem& problem,
                    const CaseOptions& options, TorchPeer* peer) {
  return CaseRun(variant, problem, options, peer).run();
}

}  // namespace flashcore::bench
