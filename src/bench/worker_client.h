// The parent's side of a worker: asks, and replaces a worker that is lost.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>

#include "bench/child.h"
#include "bench/run_case.h"

namespace flashcore::bench {

/// A phase that gave no result. `unsupported`: the variant does not serve the Problem, or the
/// machine lacks what it needs; everything else is the variant's fault.
class PhaseFailure : public std::runtime_error {
 public:
  PhaseFailure(const std::string& what, bool unsupported)
      : std::runtime_error(what), unsupported_(unsupported) {}
  [[nodiscard]] bool unsupported() const { return unsupported_; }

 private:
  bool unsupported_;
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
