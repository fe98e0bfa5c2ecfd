// The parent's side of a worker: asks, and replaces a worker that is lost.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stdexcept>
#include <string>

#include "bench/child.h"
#include "bench/run_case.h"
#include "core/status.h"

namespace flashcore::bench {

/// A phase that gave no result: the worker answered with an error, or did not answer.
class PhaseFailure : public std::runtime_error {
 public:
  PhaseFailure(const std::string& what, core::Status status)
      : std::runtime_error(what), status_(status) {}
  PhaseFailure(const std::string& what, ChildEnd end) : std::runtime_error(what), end_(end) {}

  /// What the worker's error was of; internal where it did not answer.
  [[nodiscard]] core::Status status() const { return status_; }
  /// What it did instead of answering.
  [[nodiscard]] std::optional<ChildEnd> end() const { return end_; }
  /// The variant does not serve the Problem, or the machine lacks what it needs; everything else is
  /// the variant's fault.
  [[nodiscard]] bool unsupported() const {
    return status_ == core::Status::unsupported || status_ == core::Status::no_device;
  }

 private:
  core::Status status_ = core::Status::internal;
  std::optional<ChildEnd> end_;
};

class WorkerClient {
 public:
  WorkerClient(const dispatch::Variant& variant, const core::Problem& problem,
               const CaseOptions& options)
      : variant_(variant), problem_(problem), options_(options) {}
  ~WorkerClient();
  WorkerClient(const WorkerClient&) = delete;
  WorkerClient& operator=(const WorkerClient&) = delete;

  /// Asks a prepared worker. Throws PhaseFailure; the next request gets a new worker.
  nlohmann::json ask(nlohmann::json request, std::string_view phase);

 private:
  std::unique_ptr<Child> find_worker();
  nlohmann::json ask_once(const nlohmann::json& request);

  const dispatch::Variant& variant_;
  const core::Problem& problem_;
  const CaseOptions& options_;
  std::unique_ptr<Child> child_;
};

}  // namespace flashcore::bench
