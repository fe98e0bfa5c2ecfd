#include "dispatch/dispatch.h"

#include "core/error.h"
#include "cpu/backend.h"
#include "cuda/driver.h"
#include "dispatch/plan_cache.h"
#include "dispatch/selection.h"

namespace flashcore::dispatch {

using core::fail;
using core::Problem;
using core::Status;
using core::Support;

core::GpuLimits limits_of(const Device& device) {
  return device.backend == Backend::emulator ? core::limits_of(device.arch)
                                             : cuda::device_info(device.ordinal).limits;
}

Support supports(const Problem& problem, const Device& device) {
  if (device.backend == Backend::cpu) return cpu::supports(problem);
  const Selection selection = select(problem, device);
  return selection.family != nullptr ? Support::yes() : Support::no("{}", selection.reason);
}

Choice choose(const Problem& problem, const Device& device) {
  if (const Support support = supports(problem, device); !support)
    fail(Status::unsupported, "{}", support.reason());
  if (device.backend == Backend::cpu)
    return {device.backend, cpu::family_name, cpu::describe(problem), "the device is the CPU"};
  const Selection selection = select(problem, device);
  return {device.backend, std::string{selection.family->name()}, selection.config.to_string(),
          selection.reason};
}

std::size_t workspace_bytes(const Problem& problem, const Device& device) {
  if (device.backend == Backend::cpu) return cpu::workspace_bytes(problem);
  return PlanCache::instance().get(problem, device).workspace_bytes();
}

void attention_forward(const Problem& problem, const Device& device,
                       const core::Arguments& arguments, cuda::StreamHandle stream) {
  PlanCache::instance().get(problem, device).run(arguments, stream);
}

}  // namespace flashcore::dispatch
