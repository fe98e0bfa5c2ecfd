#include "gate/tile_conflicts.h"

#include <fmt/format.h>

namespace flashcore::gate {

GateResult judge_tile_conflicts(const emulate::Counts& counts) {
  using emulate::AccessKind;
  std::uint64_t instructions = 0, excess = 0;
  std::string where;
  for (const emulate::SiteCounts& site : counts.sites) {
    if (site.kind != AccessKind::shared_copy && site.kind != AccessKind::shared_matrix) continue;
    instructions += site.instructions;
    excess += site.excess();
    if (site.excess() > 0)
      where += fmt::format("; {} of {} at {}", site.excess(), name(site.kind), site.where.text);
  }
  if (instructions == 0) return broken("no copies or matrix loads of tiles were counted");
  return judge({{.what = "turns_over_least", .measured = static_cast<double>(excess)}},
               fmt::format("{} copies and matrix loads of tiles{}", instructions, where));
}

}  // namespace flashcore::gate
