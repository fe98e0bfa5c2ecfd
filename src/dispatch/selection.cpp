#include "dispatch/selection.h"

#include <ranges>

namespace flashcore::dispatch {

Selection select(const core::Problem& problem, const core::GpuLimits& gpu) {
  Selection selection;
  std::string refusals;
  for (const family::Family* family : family::all_families() | std::views::reverse) {
    const core::Support support = family->supports(problem, gpu);
    if (support) {
      selection.family = family;
      selection.config = family->default_config(problem, gpu);
      selection.reason = fmt::format("the fastest family that supports it; its default Config{}{}",
                                     refusals.empty() ? "" : "; ", refusals);
      return selection;
    }
    if (!refusals.empty()) refusals += "; ";
    refusals += support.reason();
  }
  selection.reason = refusals;
  return selection;
}

}  // namespace flashcore::dispatch
