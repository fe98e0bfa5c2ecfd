#include "bench/contender.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/roofline.h"
#include "core/error.h"
#include "cpu/backend.h"
#include "gate/ladder.h"
#include "io/json_reader.h"

namespace flashcore::bench {

using io::JsonReader;
using nlohmann::json;

namespace {

gate::GateResult failure_of(const PhaseFailure& failure) {
  return failure.unsupported() ? gate::skipped(failure.what()) : gate::broken(failure.what());
}

}  // namespace

Contender::Contender(const dispatch::Variant& variant, const core::Problem& problem,
                     const CaseOptions& options)
    : variant_(variant),
      options_(options),
      device_(device_of(variant, options)),
      worker_(variant, problem, options) {
  record_.variant = variant.name;
  record_.backend = dispatch::name(device_.backend);
  record_.family = variant.family;
  record_.config = variant.config;
  record_.problem = problem;
}

void Contender::run_gates() {
  if (left_out("ptxas"))
    record_.gates["ptxas"] = gate::skipped("not asked for");
  else
    run_ptxas();
  if (const core::Support here = runs_here(); !here) {
    for (const std::string_view gate : gate::gate_names)
      if (gate != "ptxas") record_.gates[std::string{gate}] = gate::skipped(here.reason());
    return;
  }
  for (const char* gate : {"correctness", "determinism", "stability", "safety"}) run_gate(gate);
  if (left_out("latency")) record_.gates["latency"] = gate::skipped("not asked for");
  if (device_.backend != dispatch::Backend::emulator) return;
  run_gate(std::string{gate::conflict_gate});
  record_.gates["latency"] = gate::skipped("the emulator checks and counts: it is not timing");
}

json Contender::ask(json request, std::string_view phase) {
  options_.progress(fmt::format("{}, {}", variant_.name, phase));
  return worker_.ask(std::move(request), phase);
}

void Contender::run_ptxas() {
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

bool Contender::left_out(std::string_view gate) const {
  const auto& names = options_.gates_left_out;
  return std::find(names.begin(), names.end(), gate) != names.end();
}

void Contender::run_gate(const std::string& name) {
  gate::GateResult& result = record_.gates[name];
  if (left_out(name)) {
    result = gate::skipped("not asked for");
    return;
  }
  try {
    const json answer = ask({{"do", "gate"}, {"gate", name}, {"trials", options_.trials}}, name);
    result = gate::gate_from_json(answer.at("gate"), "answer.gate");
    take_choice(answer);
  } catch (const PhaseFailure& failure) {
    result = failure_of(failure);
  }
}

void Contender::take_choice(const json& answer) {
  record_.family = answer.at("family").get<std::string>();
  record_.config = answer.at("config").get<std::string>();
  record_.reason = answer.at("reason").get<std::string>();
}

std::optional<Rotation> Contender::start_timing() {
  if (!timed_here()) return std::nullopt;
  try {
    const json answer = ask({{"do", "start_timing"}}, "start_timing");
    take_choice(answer);
    rotation_ = {.footprint_bytes = answer.at("footprint_bytes").get<std::int64_t>(),
                 .sets = answer.at("sets").get<std::int64_t>(),
                 .launches = answer.at("launches").get<std::int64_t>()};
  } catch (const PhaseFailure& failure) {
    fail_timing(failure);
  }
  return rotation_;
}

void Contender::measure_into(Series& series) {
  if (!timing()) return;
  // Threads that wait for their next task by spinning have gone to sleep by then.
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  try {
    const json answer = worker_.ask({{"do", "measure"}}, "measure");
    series.add({.cold_us = answer.at("cold_us").get<double>(),
                .warm_us = answer.at("warm_us").get<double>(),
                .eager_us = answer.at("eager_us").get<double>()});
  } catch (const PhaseFailure& failure) {
    fail_timing(failure);
  }
}

void Contender::check_outputs() {
  if (!timing()) return;
  try {
    wrong_outputs_ = ask({{"do", "check_outputs"}}, "check_outputs").at("why").get<std::string>();
  } catch (const PhaseFailure& failure) {
    fail_timing(failure);
  }
}

void Contender::fail_timing(const PhaseFailure& failure) {
  rotation_.reset();
  record_.gates["latency"] = failure_of(failure);
}

void Contender::conclude(const std::vector<PeerSeries>& peers, const Ceilings& ceilings) {
  if (timing()) {
    Series both = first_;
    for (std::size_t i = 0; i < again_.cold.size(); ++i)
      both.add({again_.cold[i], again_.warm[i], again_.eager[i]});
    record_.timing = both.timing();
    record_.cold_turns = {first_.cold, again_.cold};
    record_.noise = gate::noise_of(first_.cold, again_.cold);
    compare(peers);
    record_.roofline = roofline(ceilings);
  }
  if (options_.as_rung) record_.gates[std::string{gate::ladder_gate}] = gate::judge_ladder(record_);
  if (!timing()) return;
  gate::GateResult& latency = record_.gates["latency"];
  latency = gate::judge_latency(record_, wrong_outputs_.empty() ? 0 : 1, options_.targets);
  if (!wrong_outputs_.empty()) latency.detail += "; " + wrong_outputs_;
}

void Contender::compare(const std::vector<PeerSeries>& peers) {
  double fastest = 0;
  for (const PeerSeries& peer : peers) {
    gate::PeerRecord& recorded =
        record_.peers.emplace_back(gate::PeerRecord{.name = "torch_sdpa",
                                                    .backend = peer.backend.name,
                                                    .version = peer.version,
                                                    .timing = peer.series.timing(),
                                                    .comparison = std::nullopt,
                                                    .not_measured = peer.backend.not_measured});
    if (!recorded.timing) continue;
    recorded.comparison = comparison_with(peer);
    if (fastest > 0 && recorded.timing->cold.median >= fastest) continue;
    fastest = recorded.timing->cold.median;
    record_.best_peer = {.peer = "torch_sdpa " + peer.backend.name,
                         .ratio = recorded.comparison->ratio,
                         .noise = recorded.comparison->noise};
  }
}

/// The peer's turn lies between our two; their mean cancels what drifts during a round.
gate::PeerComparison Contender::comparison_with(const PeerSeries& peer) const {
  std::vector<double> around;
  for (std::size_t i = 0; i < first_.cold.size(); ++i)
    around.push_back((first_.cold[i] + again_.cold[i]) / 2);
  const auto ratios = gate::round_ratios(around, peer.series.cold);
  return {.ratio = gate::summarize(ratios),
          .noise = std::max(record_.noise, gate::median_error(ratios))};
}

gate::RooflineRecord Contender::roofline(const Ceilings& ceilings) const {
  gate::RooflineRecord result;
  if (record_.on_gpu()) {
    const cuda::DeviceInfo& device = cuda::device_info(options_.ordinal);
    const Peaks peaks = peaks_of(device);
    result = {.bound_us = gpu_bound_us(record_.problem, device,
                                       static_cast<double>(rotation_->footprint_bytes)),
              .peak_tflops = peaks.tflops,
              .peak_gb_per_s = peaks.gb_per_s,
              .measured_tflops = ceilings.matmul_tflops,
              .measured_gb_per_s = ceilings.copy_gb_per_s};
  } else {
    result.bound_us = cpu_bound_us(record_.problem, cpu::thread_count());
  }
  result.fraction = result.bound_us / record_.timing->cold.min;
  return result;
}

}  // namespace flashcore::bench
