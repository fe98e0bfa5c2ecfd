// A family's kernels on the emulator, with every buffer that the call may touch.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/gpu_limits.h"
#include "core/host_tensor.h"
#include "emulate/call.h"
#include "emulate/module_store.h"
#include "emulate/tensor_map.h"
#include "family/family.h"
#include "gate/target.h"

namespace flashcore::emulate {

/// A GPU of so few multiprocessors that a kernel whose blocks stay has several tasks for each.
inline core::GpuLimits hopper_of(int multiprocessors) {
  core::GpuLimits gpu = core::limits_of({9, 0, true});
  gpu.multiprocessors = multiprocessors;
  return gpu;
}

/// Runs one call after the other with one Config.
class EmulatedCall {
 public:
  EmulatedCall(const family::Family& family, const family::ConfigFields& config,
               const core::Problem& problem,
               std::span<const jit::EmbeddedSource> sources = jit::embedded_sources(),
               const core::GpuLimits& gpu = core::limits_of({9, 0, true}))
      : problem_(problem),
        prepared_(family.prepare(problem, config, gpu)),
        label_(std::string{family.name()} + ' ' + config.to_string()) {
    for (const auto& spec : family.kernels(config))
      launches_.push_back(
          {this, &process_store().find({.kernel = spec, .sources = sources}).module});
  }

  /// Leaves what the kernels computed in the call.
  gate::Damage run(core::HostCall& call, std::uint64_t seed = 0, bool checks = true) {
    options_ = {.seed = seed, .checks = checks, .buffers = {}, .label = label_};
    reports.clear();
    const gate::Target target(problem_, prepared_->workspace_bytes(),
                              [&](const core::Arguments& arguments) { launch(arguments); });
    return target.run(call);
  }

  std::vector<Report> reports;  // one for each kernel

  [[nodiscard]] std::string findings() const {
    std::string text;
    for (const Report& report : reports)
      for (const Finding& finding : report.findings) text += finding.to_string() + '\n';
    return text;
  }

 private:
  struct Launch {
    EmulatedCall* call;
    const host::Module* module;
  };

  static void launch_on_emulator(void* function, const cuda::LaunchShape& shape,
                                 cuda::StreamHandle /*stream*/, const void* params,
                                 std::size_t /*params_bytes*/) {
    const auto& launch = *static_cast<const Launch*>(function);
    launch.call->reports.push_back(
        emulate::launch(*launch.module, shape, params, launch.call->options_));
  }

  void launch(const core::Arguments& arguments) {
    options_.buffers = buffers_of(problem_, arguments);
    std::vector<cuda::Kernel> kernels;
    for (Launch& launch : launches_)
      kernels.emplace_back(&launch, launch_on_emulator, encode_for_emulator);
    prepared_->launch(kernels, arguments, nullptr);
  }

  core::Problem problem_;
  std::unique_ptr<family::PreparedLaunch> prepared_;
  std::string label_;
  std::deque<Launch> launches_;
  Options options_;
};

}  // namespace flashcore::emulate
