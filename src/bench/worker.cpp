#include "bench/worker.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "bench/run_case.h"
#include "bench/stopwatch.h"
#include "core/error.h"
#include "dispatch/variants.h"
#include "family/family.h"
#include "gate/ptxas.h"
#include "gate/runtime_gates.h"
#include "io/json_reader.h"
#include "io/problem_json.h"

namespace flashcore::bench {

using core::fail;
using core::Status;
using io::JsonReader;
using nlohmann::json;

namespace {

/// What the parent must be able to survive.
void misbehave(const json& fault, std::FILE* answers) {
  if (fault == json("crash")) {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
  }
  if (fault == json("hang"))
    while (true) pause();
  if (fault == json("exit")) _exit(7);
  if (fault == json("garbage")) {
    std::fputs("Segmentation fault (core dumped)\n", answers);
    std::fflush(answers);
  }
}

class Worker {
 public:
  json answer(const JsonReader& request) {
    const std::string what = request.at("do").string();
    if (what == "prepare") return prepare(request);
    if (!variant_) fail(Status::invalid_argument, "{}: nothing was prepared", what);
    if (what == "ptxas") return ptxas();
    if (what == "compile") return compile(request);
    if (what == "screen") return screen();
    if (what == "gate") return run_gate(request);
    if (what == "start_timing") return start_timing();
    if (what == "measure") return measure();
    if (what == "check_outputs") return {{"why", stopwatch().check_outputs()}};
    fail(Status::invalid_argument, "do: {} is not a request", what);
  }

 private:
  json prepare(const JsonReader& request) {
    stopwatch_.reset();
    target_.reset();
    variant_.reset();
    const auto backend = dispatch::backend_from_name(request.at("backend").string());
    if (!backend) request.at("backend").expected("cpu, cuda or emulator");
    family_ = request.at("family").string();
    config_ = request.at("config").string();
    problem_ = io::problem_from_json(request.at("problem").value(), "problem");
    seed_ = static_cast<std::uint64_t>(request.at("seed").integer());
    const dispatch::Variant variant{
        .name = family_, .backend = *backend, .family = family_, .config = config_, .summary = ""};
    overlap_ = request.flag("overlap");
    device_ = device_of(variant, options_of(request));
    variant_ = variant;
    return json::object();
  }

  static CaseOptions options_of(const JsonReader& request) {
    CaseOptions options;
    options.ordinal = request.at("ordinal").small_integer();
    if (request.has("emulated"))
      options.emulated = core::known_arch(request.at("emulated").string());
    return options;
  }

  json ptxas() {
    const gate::PtxasOutcome outcome = gate::run_ptxas(*variant_, problem_);
    json reports = json::object();
    for (const auto& [arch, record] : outcome.by_arch) reports[arch] = gate::ptxas_to_json(record);
    return {{"gate", gate::gate_to_json(outcome.result)}, {"reports", reports}};
  }

  json compile(const JsonReader& request) {
    const family::Family* family = family::find_family(family_);
    if (family == nullptr) fail(Status::invalid_argument, "family: there is no {}", family_);
    const auto config = family::ConfigFields::parse(config_);
    const core::Arch arch = core::known_arch(request.at("arch").string());
    return {{"report", gate::ptxas_to_json(gate::resource_report(*family, config, arch))}};
  }

  /// On the same inputs for every Config: drawing them, and the oracle's answer to them, can take
  /// longer than all the calls.
  json screen() {
    if (!inputs_ || inputs_->problem != problem_ || inputs_seed_ != seed_) {
      inputs_ = core::HostCall::random(problem_, seed_);
      sample_ = gate::correctness_sample(*inputs_, seed_);
      inputs_seed_ = seed_;
    }
    const gate::Screening screening = gate::screen(target(), *inputs_, *sample_);
    return {{"correct", screening.accuracy.correct},
            {"max_error", screening.accuracy.max_error},
            {"finite", screening.accuracy.finite},
            {"deterministic", screening.deterministic},
            {"detail", screening.accuracy.reason}};
  }

  gate::Target& target() {
    if (!target_) target_.emplace(problem_, device_, dispatch::pinned_of(*variant_), overlap_);
    return *target_;
  }

  Stopwatch& stopwatch() {
    if (stopwatch_ == nullptr) fail(Status::invalid_argument, "measure: timing was not started");
    return *stopwatch_;
  }

  json run_gate(const JsonReader& request) {
    const gate::RunOptions options{.seed = seed_, .trials = request.at("trials").small_integer()};
    const auto result = gate::run_gate(request.at("gate").string(), target(), options);
    const dispatch::Choice& choice = target().choice();
    return {{"gate", gate::gate_to_json(result)},
            {"family", choice.family},
            {"config", choice.config},
            {"reason", choice.reason}};
  }

  json start_timing() {
    constexpr std::uint64_t apart_from_gates = 1'000'000;
    target().free_buffers();
    stopwatch_ = make_stopwatch(target(), seed_ + apart_from_gates);
    const Rotation rotation = stopwatch_->rotation();
    const dispatch::Choice& choice = target().choice();
    return {{"footprint_bytes", rotation.footprint_bytes},
            {"sets", rotation.sets},
            {"launches", rotation.launches},
            {"family", choice.family},
            {"config", choice.config},
            {"reason", choice.reason}};
  }

  json measure() {
    const Round round = stopwatch().measure();
    return {{"cold_us", round.cold_us}, {"warm_us", round.warm_us}, {"eager_us", round.eager_us}};
  }

  std::string family_, config_;               // what variant_ refers to
  std::optional<dispatch::Variant> variant_;  // of no name of its own
  core::Problem problem_;
  dispatch::Device device_;
  std::uint64_t seed_ = 1;
  bool overlap_ = false;
  std::optional<gate::Target> target_;
  std::unique_ptr<Stopwatch> stopwatch_;
  std::optional<core::HostCall> inputs_;
  std::optional<gate::Sample> sample_;  // of inputs_
  std::uint64_t inputs_seed_ = 0;
};

json answer_or_error(Worker& worker, const json& request) {
  try {
    json answer = worker.answer(JsonReader{request, "request"});
    answer["ok"] = true;
    return answer;
  } catch (const core::Error& error) {
    return {{"ok", false}, {"error", error.what()}, {"status", core::name(error.status())}};
  } catch (const std::exception& error) {
    return {{"ok", false}, {"error", error.what()}, {"status", core::name(Status::internal)}};
  }
}

}  // namespace

int serve_worker() {
  std::FILE* answers = fdopen(dup(STDOUT_FILENO), "w");
  if (answers == nullptr || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
    fail(Status::io, "worker: standard output cannot be set aside");
  Worker worker;
  for (std::string line; std::getline(std::cin, line);) {
    const json request = json::parse(line, nullptr, false);
    if (request.is_object() && request.contains("do") && request["do"] == json("quit")) break;
    if (request.is_object() && request.contains("fault")) misbehave(request["fault"], answers);
    const std::string answer =
        answer_or_error(worker, request).dump(-1, ' ', false, json::error_handler_t::replace);
    std::fputs((answer + '\n').c_str(), answers);
    std::fflush(answers);
  }
  return 0;
}

}  // namespace flashcore::bench
