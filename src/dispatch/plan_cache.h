// From a Problem on a device to its plan, found again without allocating.
#pragma once

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "core/problem.h"
#include "dispatch/dispatch.h"

namespace flashcore::dispatch {

/// Plans live as long as the process: a reference stays valid. Thread-safe.
class PlanCache {
 public:
  /// The plan for the Problem on the device, made on first use.
  const Plan& get(const core::Problem& problem, const Device& device);

  static PlanCache& instance();

 private:
  struct Key {
    core::Problem problem;
    Device device;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return core::hash(key.problem) ^ (static_cast<std::size_t>(key.device.backend) << 32) ^
             static_cast<std::size_t>(key.device.ordinal);
    }
  };

  std::shared_mutex mutex_;
  std::unordered_map<Key, std::unique_ptr<Plan>, KeyHash> plans_;
};

}  // namespace flashcore::dispatch
