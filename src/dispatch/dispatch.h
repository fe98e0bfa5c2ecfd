// Which backend, family and Config serve a Problem on a device, and the path from a call to it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/gpu_limits.h"
#include "core/problem.h"
#include "core/support.h"
#include "cuda/kernel.h"
#include "emulate/launch.h"
#include "family/config.h"
#include "jit/kernel_spec.h"

namespace flashcore::dispatch {

/// The emulator executes the GPU's kernels on the CPU, in host memory, and checks them.
enum class Backend { cpu, cuda, emulator };

constexpr const char* name(Backend backend) {
  switch (backend) {
    case Backend::cpu: return "cpu";
    case Backend::cuda: return "cuda";
    case Backend::emulator: return "emulator";
  }
  return "unknown";
}

inline std::optional<Backend> backend_from_name(std::string_view text) {
  for (const Backend backend : {Backend::cpu, Backend::cuda, Backend::emulator})
    if (text == name(backend)) return backend;
  return std::nullopt;
}

/// The GPU that is emulated where nobody says which.
inline constexpr core::Arch default_emulated_arch{9, 0, true};

struct Device {
  Backend backend = Backend::cpu;
  int ordinal = 0;
  core::Arch arch = default_emulated_arch;  // of the emulator: the GPU whose limits hold

  bool operator==(const Device&) const = default;
};

/// What a GPU, or the one that is emulated, allows a kernel.
core::GpuLimits limits_of(const Device& device);

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

/// What a plan would compile. Throws unsupported with the reason where there is none.
std::vector<jit::KernelSpec> kernels_of(const core::Problem& problem, const Device& device,
                                        const Pinned& pinned);

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
  /// The emulator returns when the call is done, and throws device_failed where a check found
  /// something.
  void run(const core::Arguments& arguments, cuda::StreamHandle stream) const;
  /// On the emulator: a call with these options (its buffers and label are filled in), and what was
  /// found and counted.
  [[nodiscard]] emulate::Report run_emulated(const core::Arguments& arguments,
                                             const emulate::Options& options) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flashcore::dispatch
