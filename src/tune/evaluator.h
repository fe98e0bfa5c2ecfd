// Candidates compiled, checked and timed in worker processes, whatever they do to those.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/run_case.h"
#include "bench/worker_client.h"
#include "bench/worker_pool.h"
#include "family/family.h"
#include "tune/busy_clock.h"
#include "tune/readiness.h"
#include "tune/trial.h"

namespace flashcore::tune {

struct EvaluatorOptions {
  std::vector<int> devices{0};              // GPUs, one worker each
  std::optional<core::Arch> emulated = {};  // on the emulator of that GPU: checked, not timed
  std::vector<std::string> worker_command{"/proc/self/exe", "worker"};
  std::chrono::duration<double> time_limit{60};  // of a compilation, a check, a round
  int rounds = 5;
  std::uint64_t seed = 1;
  /// For the tests: makes the worker misbehave in a candidate's phase.
  std::function<bench::Fault(const family::ConfigFields&)> fault = [](const auto&) {
    return bench::Fault{};
  };
};

/// Where the wall time of the evaluations went. The first two run side by side.
struct Effort {
  double compile_s = 0;  // while anything was compiled
  double device_s = 0;   // while candidates were checked and timed, the mean over the devices
  double workers_s = 0;  // while any worker was asked for something
};

/// The cheap checks come first, and whoever fails one is out: valid on the GPU and for the Problem;
/// compiled, on all cores but one for each device, within the family's budget and without spills;
/// correct and deterministic; timed. The devices take the candidates in their order, while later
/// ones are compiled.
class Evaluator {
 public:
  /// Throws no_device where there is no compiler.
  Evaluator(const family::Family& family, const core::Problem& problem, const core::GpuLimits& gpu,
            EvaluatorOptions options);
  ~Evaluator();
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  /// As Trial. Throws where no worker can be started, and what the hooks throw.
  std::vector<Outcome> evaluate(std::span<const family::ConfigFields> configs,
                                const TrialHooks& hooks);

  [[nodiscard]] Effort effort() const;

 private:
  struct Bay;  // a device, and the workers there

  nlohmann::json ask(bench::WorkerClient& worker, nlohmann::json request, std::string_view phase,
                     double& seconds);
  void check_validity(const family::ConfigFields& config, Outcome& outcome) const;
  void compile_all(std::span<const family::ConfigFields> configs, const TrialHooks& hooks,
                   std::span<Outcome> outcomes, Readiness& compiled);
  void run_all(std::span<const family::ConfigFields> configs, const TrialHooks& hooks,
               std::span<Outcome> outcomes, Readiness& compiled);
  void compile(const family::ConfigFields& config, Outcome& outcome);
  void run(const family::ConfigFields& config, Bay& bay, Outcome& outcome);
  /// After a worker was lost: throws device_failed where the device no longer runs what it ran
  /// before, so that candidates are not blamed for it.
  void check_device(Bay& bay);

  const family::Family& family_;
  core::Problem problem_;
  core::GpuLimits gpu_;
  EvaluatorOptions options_;
  bench::WorkerPool compilers_;
  std::vector<std::unique_ptr<Bay>> bays_;
  std::mutex sound_mutex_;
  std::optional<family::ConfigFields> sound_;  // the first that passed
  double compile_s_ = 0;
  BusyClock workers_busy_;
};

/// The cause that a failed phase stands for. Throws where it is no candidate's fault: a worker that
/// cannot be started.
Cause cause_of(const bench::PhaseFailure& failure);

}  // namespace flashcore::tune
