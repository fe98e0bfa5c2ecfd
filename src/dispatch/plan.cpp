// The path from a Problem to something that runs.
#include <memory>
#include <vector>

#include "core/error.h"
#include "cpu/backend.h"
#include "cuda/driver.h"
#include "cuda/memory.h"
#include "cuda/replay.h"
#include "dispatch/dispatch.h"
#include "dispatch/selection.h"
#include "emulate/call.h"
#include "family/family.h"
#include "jit/kernel_store.h"

namespace flashcore::dispatch {

using core::fail;
using core::Problem;
using core::Status;
using core::Support;

struct Plan::State {
  Problem problem;
  Device device;
  Choice choice;
  std::size_t workspace_bytes = 0;
  // On a GPU and on the emulator:
  bool reaches_host_memory = false;
  std::unique_ptr<family::PreparedLaunch> prepared;
  std::vector<cuda::Kernel> kernels;
  std::unique_ptr<cuda::ReplayedKernel> replayed;  // the only kernel, on a GPU

  void check_workspace(const core::Arguments& arguments) const;
};

namespace {

/// What the dispatcher would select, unless the caller pins a family.
Selection select_pinned(const Problem& problem, const Device& device, const Pinned& pinned) {
  if (pinned.family.empty()) return select(problem, device);
  const core::GpuLimits gpu = limits_of(device);
  Selection selection;
  const family::Family* family = family::find_family(pinned.family);
  if (family == nullptr) fail(Status::invalid_argument, "family: there is no {}", pinned.family);
  if (const Support support = family->supports(problem, gpu); !support) {
    selection.reason = support.reason();
    return selection;
  }
  if (pinned.config)
    return {family, family::overlaid(family->default_config(problem, gpu), *pinned.config),
            "asked for, Config included"};
  selection = own_config(*family, problem, gpu, tuned_for(device));
  selection.reason = "asked for; " + selection.reason;
  return selection;
}

/// A host address would not fail the call but the kernel, and with it the caller's whole context.
void check_reachable(const Problem& problem, const core::Arguments& arguments) {
  cuda::KnownMemory known;
  const auto check = [&](const char* name, const void* data) {
    if (!known.holds(data))
      fail(Status::invalid_argument, "{}: {} is host memory, which the GPU does not reach", name,
           data);
  };
  check("q", arguments.q);
  if (problem.seq_kv > 0) {
    check("k", arguments.k);
    check("v", arguments.v);
  }
  check("o", arguments.o);
  if (arguments.lse != nullptr) check("lse", arguments.lse);
  if (arguments.workspace_bytes > 0) check("workspace", arguments.workspace);
}

}  // namespace

std::vector<jit::KernelSpec> kernels_of(const Problem& problem, const Device& device,
                                        const Pinned& pinned) {
  const Selection selection = select_pinned(problem, device, pinned);
  if (selection.family == nullptr) fail(Status::unsupported, "{}", selection.reason);
  return selection.family->kernels(selection.config);
}

Plan::Plan(const Problem& problem, const Device& device, const Pinned& pinned)
    : state_(std::make_unique<State>()) {
  state_->problem = problem;
  state_->device = device;
  if (device.backend == Backend::cpu) {
    if (!pinned.family.empty() && pinned.family != cpu::family_name)
      fail(Status::invalid_argument, "family: {} does not run on the CPU", pinned.family);
    state_->choice = dispatch::choose(problem, device);
    state_->workspace_bytes = cpu::workspace_bytes(problem);
    return;
  }
  const Selection selection = select_pinned(problem, device, pinned);
  if (selection.family == nullptr) fail(Status::unsupported, "{}", selection.reason);
  state_->prepared = selection.family->prepare(problem, selection.config, limits_of(device));
  state_->workspace_bytes = state_->prepared->workspace_bytes();
  state_->choice = {device.backend, std::string{selection.family->name()},
                    selection.config.to_string(), selection.reason};
  const auto specs = selection.family->kernels(selection.config);
  if (device.backend == Backend::emulator) {
    state_->kernels = emulate::load_kernels(specs);
    return;
  }
  state_->reaches_host_memory = cuda::device_info(device.ordinal).reaches_host_memory;
  const auto shapes = state_->prepared->shapes();
  for (std::size_t i = 0; i < specs.size(); ++i)
    state_->kernels.push_back(jit::load_kernel(specs[i], device.ordinal, shapes[i].shared_bytes));
  if (state_->kernels.size() == 1) {
    state_->replayed = std::make_unique<cuda::ReplayedKernel>(state_->kernels[0], device.ordinal);
    state_->kernels[0] = state_->replayed->kernel();
  }
}

Plan::~Plan() = default;

const Choice& Plan::choice() const {
  return state_->choice;
}

std::size_t Plan::workspace_bytes() const {
  return state_->workspace_bytes;
}

void Plan::State::check_workspace(const core::Arguments& arguments) const {
  if (arguments.workspace_bytes < workspace_bytes)
    fail(Status::invalid_argument, "workspace: {} bytes given, {} needed",
         arguments.workspace_bytes, workspace_bytes);
  if (workspace_bytes > 0 && reinterpret_cast<std::uintptr_t>(arguments.workspace) % 64 != 0)
    fail(Status::invalid_argument, "workspace: {} is not aligned to 64 bytes", arguments.workspace);
}

void Plan::run(const core::Arguments& arguments, cuda::StreamHandle stream) const {
  state_->check_workspace(arguments);
  if (state_->device.backend == Backend::cpu) {
    cpu::attention_forward(state_->problem, arguments);
    return;
  }
  if (state_->device.backend == Backend::emulator) {
    const emulate::Report report = run_emulated(arguments, {});
    if (!report.findings.empty()) fail(Status::device_failed, "{}", emulate::describe(report));
    return;
  }
  const cuda::DeviceGuard guard(state_->device.ordinal);
  if (!state_->reaches_host_memory) check_reachable(state_->problem, arguments);
  state_->prepared->launch(state_->kernels, arguments, stream);
}

emulate::Report Plan::run_emulated(const core::Arguments& arguments,
                                   const emulate::Options& options) const {
  if (state_->device.backend != Backend::emulator)
    fail(Status::invalid_argument, "device: the plan is for {}, not for the emulator",
         name(state_->device.backend));
  state_->check_workspace(arguments);
  emulate::Run run{options};
  run.options.buffers = emulate::buffers_of(state_->problem, arguments);
  run.options.label = fmt::format("{} {}", state_->choice.family, state_->choice.config);
  state_->prepared->launch(state_->kernels, arguments, run.stream());
  return std::move(run.report);
}

}  // namespace flashcore::dispatch
