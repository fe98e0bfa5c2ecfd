// Which backend, family and Config serve a Problem on a device, and the path from a call to it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "core/problem.h"
#include "core/support.h"
#include "cuda/kernel.h"
#include "family/config.h"

namespace flashcore::dispatch {

enum class Backend { cpu, cuda };

/// "cpu" or "cuda"
constexpr const char* name(Backend backend) {
  return backend == Backend::cpu ? "cpu" : "cuda";
}

struct Device {
  Backend backend = Backend::cpu;
  int ordinal = 0;

  bool operator==(const Device&) const = default;
};

struct Choice {
  Backend backend = Backend::cpu;
  std::string family;
  std::string config;  // by field name
  std::string reason;  // why this one
};

/// A family and, where given, a Config that the caller insists on instead of the dispatcher's own.
struct Pinned {
  std::string family;
  std::optional<family::ConfigFields> config;  // fields not named are the default Config's

  bool operator==(const Pinned&) const = default;
};

core::Support supports(const core::Problem& problem, const Device& device);

/// What would serve the Problem, without compiling it. Throws unsupported or no_device with the
/// reason.
Choice choose(const core::Problem& problem, const Device& device);

std::size_t workspace_bytes(const core::Problem& problem, const Device& device);

/// Runs the call; on a GPU, queues it. The first call for a Problem on a device plans it: chooses,
/// compiles, loads. Later calls find the plan, allocate nothing and do not synchronise.
void attention_forward(const core::Problem& problem, const Device& device,
                       const core::Arguments& arguments, cuda::StreamHandle stream);

/// A plan for one Problem with a pinned family and Config: what the benchmark, the gates and the
/// tuner run, on the same path as everyone's calls.
class Plan {
 public:
  /// Throws when the Problem, the Config or the device does not allow it, or the kernel does not
  /// compile.
  Plan(const core::Problem& problem, const Device& device, const Pinned& pinned);
  ~Plan();
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  [[nodiscard]] const Choice& choice() const;
  [[nodiscard]] std::size_t workspace_bytes() const;
  void run(const core::Arguments& arguments, cuda::StreamHandle stream) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flashcore::dispatch
