#include "tune/evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "core/error.h"
#include "core/parallel.h"
#include "gate/ptxas.h"
#include "gate/statistics.h"
#include "io/json_reader.h"
#include "jit/compiler.h"
#include "tune/pinned_config.h"

namespace flashcore::tune {

using bench::ChildEnd;
using bench::PhaseFailure;
using bench::WorkerClient;
using core::fail;
using core::Status;
using family::ConfigFields;
using io::JsonReader;
using nlohmann::json;

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void fail_outcome(Outcome& outcome, Cause cause, std::string detail) {
  outcome.cause = cause;
  outcome.detail = std::move(detail);
}

}  // namespace

struct Evaluator::Bay {
  int ordinal = 0;
  bench::WorkerPool workers;
  double busy_s = 0;  // answering
};

Cause cause_of(const PhaseFailure& failure) {
  if (const auto end = failure.end()) switch (*end) {
      case ChildEnd::crashed: return Cause::crashed;
      case ChildEnd::hung: return Cause::hung;
      case ChildEnd::garbage: return Cause::garbage;
      case ChildEnd::exited: return Cause::exited;
      case ChildEnd::not_running: fail(Status::io, "tune: {}", failure.what());
    }
  switch (failure.status()) {
    case Status::invalid_argument:
    case Status::unsupported: return Cause::invalid;
    case Status::compile_failed: return Cause::compile_failed;
    case Status::out_of_memory: return Cause::out_of_memory;
    default: return Cause::device_failed;
  }
}

Evaluator::Evaluator(const family::Family& family, const core::Problem& problem,
                     const core::GpuLimits& gpu, EvaluatorOptions options)
    : family_(family), problem_(problem), gpu_(gpu), options_(std::move(options)) {
  if (!jit::compiler_available())
    fail(Status::no_device, "tune: candidates have to be compiled, and {}",
         jit::compiler_unavailable_reason());
  for (const int ordinal : options_.devices) {
    bays_.push_back(std::make_unique<Bay>());
    bays_.back()->ordinal = ordinal;
  }
}

Evaluator::~Evaluator() = default;

Effort Evaluator::effort() const {
  const double busy =
      std::accumulate(bays_.begin(), bays_.end(), 0.0,
                      [](double sum, const auto& bay) { return sum + bay->busy_s; });
  return {.compile_s = compile_s_,
          .device_s = busy / static_cast<double>(bays_.size()),
          .workers_s = workers_busy_.seconds()};
}

std::vector<Outcome> Evaluator::evaluate(std::span<const ConfigFields> configs,
                                         const TrialHooks& hooks) {
  std::vector<Outcome> outcomes(configs.size());
  for (std::size_t i = 0; i < configs.size(); ++i) {
    check_validity(configs[i], outcomes[i]);
    if (outcomes[i].cause != Cause::none) hooks.done(i, outcomes[i]);
  }
  Readiness compiled(configs.size());
  std::exception_ptr failure;
  std::jthread compilers([&] {
    try {
      compile_all(configs, hooks, outcomes, compiled);
    } catch (...) {
      failure = std::current_exception();
    }
    compiled.end();
  });
  try {
    run_all(configs, hooks, outcomes, compiled);
  } catch (...) {
    compiled.end();
    throw;
  }
  compilers.join();
  if (failure != nullptr) std::rethrow_exception(failure);
  return outcomes;
}

void Evaluator::compile_all(std::span<const ConfigFields> configs, const TrialHooks& hooks,
                            std::span<Outcome> outcomes, Readiness& compiled) {
  const auto start = std::chrono::steady_clock::now();
  // A device's worker that waits for a processor between two launches times the wait.
  const std::size_t processors = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t compilers = processors > bays_.size() ? processors - bays_.size() : 1;
  core::parallel_for(configs.size(), compilers, [&](std::size_t i) {
    if (outcomes[i].cause == Cause::none && !compiled.ended()) {
      compile(configs[i], outcomes[i]);
      if (outcomes[i].cause != Cause::none) hooks.done(i, outcomes[i]);
    }
    compiled.set(i);
  });
  compile_s_ += seconds_since(start);
}

void Evaluator::run_all(std::span<const ConfigFields> configs, const TrialHooks& hooks,
                        std::span<Outcome> outcomes, Readiness& compiled) {
  std::atomic<std::size_t> next = 0;
  std::vector<std::exception_ptr> failures(bays_.size());
  std::vector<std::jthread> threads;
  for (std::size_t bay = 0; bay < bays_.size(); ++bay)
    threads.emplace_back([&, bay] {
      try {
        for (std::size_t i = next++; i < configs.size(); i = next++) {
          if (!compiled.wait_for(i)) return;
          if (outcomes[i].cause != Cause::none) continue;
          hooks.launching(i);
          run(configs[i], *bays_[bay], outcomes[i]);
          if (took_worker_down(outcomes[i].cause)) check_device(*bays_[bay]);
          hooks.done(i, outcomes[i]);
        }
      } catch (...) {
        failures[bay] = std::current_exception();
        compiled.end();
      }
    });
  threads.clear();
  for (const auto& failure : failures)
    if (failure != nullptr) std::rethrow_exception(failure);
}

/// Asks, and adds the time it took, whatever comes of it.
json Evaluator::ask(WorkerClient& worker, json request, std::string_view phase, double& seconds) {
  const BusyClock::Task busy(workers_busy_);
  const auto start = std::chrono::steady_clock::now();
  try {
    json answer = worker.ask(std::move(request), phase);
    seconds += seconds_since(start);
    return answer;
  } catch (...) {
    seconds += seconds_since(start);
    throw;
  }
}

void Evaluator::check_validity(const ConfigFields& config, Outcome& outcome) const {
  try {
    if (const core::Support valid = family_.valid(config, gpu_); !valid)
      return fail_outcome(outcome, Cause::invalid, valid.reason());
    static_cast<void>(family_.prepare(problem_, config, gpu_));
  } catch (const core::Error& error) {
    fail_outcome(outcome, Cause::invalid, error.what());
  }
}

void Evaluator::compile(const ConfigFields& config, Outcome& outcome) {
  const PinnedConfig pinned("candidate", family_.name(), config);
  bench::CaseOptions options;
  options.worker_command = options_.worker_command;
  options.phase_limit = options_.time_limit;
  options.workers = &compilers_;
  options.fault = options_.fault(config);
  WorkerClient worker(pinned.variant(), problem_, options);
  const std::string arch = gpu_.arch.to_string();
  try {
    const json answer =
        ask(worker, {{"do", "compile"}, {"arch", arch}}, "compile", outcome.compile_s);
    const gate::PtxasRecord record =
        gate::ptxas_from_json(JsonReader{answer, "answer"}.at("report").value(), "answer.report");
    outcome.resources = record.report;
    const gate::GateResult budget = gate::judge(gate::ptxas_checks({{arch, record}}), "");
    if (budget.verdict == gate::Verdict::fail)
      fail_outcome(outcome, Cause::over_budget, budget.detail);
    else if (record.report.shared_bytes > gpu_.shared_bytes_per_block)
      fail_outcome(outcome, Cause::over_budget,
                   fmt::format("{} bytes of shared memory, a block has {}",
                               record.report.shared_bytes, gpu_.shared_bytes_per_block));
  } catch (const PhaseFailure& failure) {
    fail_outcome(outcome, cause_of(failure), failure.what());
  } catch (const core::Error& error) {  // an answer that lacks what it must have
    fail_outcome(outcome, Cause::garbage, error.what());
  }
}

void Evaluator::run(const ConfigFields& config, Bay& bay, Outcome& outcome) {
  const PinnedConfig pinned("candidate", family_.name(), config);
  bench::CaseOptions options;
  options.worker_command = options_.worker_command;
  options.phase_limit = options_.time_limit;
  options.workers = &bay.workers;
  options.ordinal = bay.ordinal;
  options.emulated = options_.emulated;
  options.seed = options_.seed;
  options.fault = options_.fault(config);
  WorkerClient worker(pinned.variant(), problem_, options);
  try {
    const json answer = ask(worker, {{"do", "screen"}}, "screen", outcome.check_s);
    const JsonReader screening{answer, "answer"};
    outcome.max_error = screening.at("max_error").number();
    outcome.nan = !screening.at("finite").boolean();
    outcome.deterministic = screening.at("deterministic").boolean();
    if (!screening.at("correct").boolean())
      fail_outcome(outcome, Cause::incorrect, screening.at("detail").string());
    else if (!outcome.deterministic)
      fail_outcome(outcome, Cause::not_deterministic, "the same call gave other bits");
    if (outcome.cause == Cause::none && !options_.emulated) {
      std::vector<double> times;
      ask(worker, {{"do", "start_timing"}}, "start_timing", outcome.time_s);
      for (int round = 0; round < options_.rounds; ++round) {
        const json measured = ask(worker, {{"do", "measure"}}, "measure", outcome.time_s);
        const JsonReader cold = JsonReader{measured, "answer"}.at("cold_us");
        if (!(cold.number() > 0)) cold.expected("a time above 0");
        times.push_back(cold.number());
      }
      outcome.latency_us = gate::median(times);
      outcome.noise = gate::median_error(times);
    }
  } catch (const PhaseFailure& failure) {
    fail_outcome(outcome, cause_of(failure), failure.what());
  } catch (const core::Error& error) {  // an answer that lacks what it must have
    fail_outcome(outcome, Cause::garbage, error.what());
  }
  bay.busy_s += outcome.check_s + outcome.time_s;
  if (outcome.cause != Cause::none) return;
  const std::scoped_lock lock(sound_mutex_);
  if (!sound_) sound_ = config;
}

void Evaluator::check_device(Bay& bay) {
  std::unique_lock lock(sound_mutex_);
  const std::optional<ConfigFields> sound = sound_;
  lock.unlock();
  if (!sound) return;
  Outcome probe;
  run(*sound, bay, probe);
  if (took_worker_down(probe.cause))
    fail(
        Status::device_failed,
        "tune: GPU {} no longer runs {}, which it ran before: {}; once it is sound again, --resume "
        "goes on",
        bay.ordinal, sound->to_string(), probe.detail);
}

}  // namespace flashcore::tune
