#include "gate/tile_conflicts.h"

#include <gmock/gmock.h>

namespace flashcore::gate {
namespace {

using emulate::AccessKind;
using ::testing::HasSubstr;

emulate::Counts counts_of(AccessKind kind, std::uint64_t passes) {
  emulate::SiteCounts site;
  site.kind = kind;
  site.where.text = "kernels/forward_mma/kernel.cuh:51";
  site.instructions = 10;
  site.passes = passes;
  site.least_passes = 40;
  emulate::Counts counts;
  counts.sites = {site};
  return counts;
}

TEST(TileConflicts, NoExtraTurnOfACopyOrAMatrixLoadIsAllowed) {
  for (const AccessKind kind : {AccessKind::shared_copy, AccessKind::shared_matrix}) {
    EXPECT_EQ(judge_tile_conflicts(counts_of(kind, 40)).verdict, Verdict::pass);
    const GateResult over = judge_tile_conflicts(counts_of(kind, 41));
    EXPECT_EQ(over.verdict, Verdict::fail);
    EXPECT_THAT(over.detail, HasSubstr("kernels/forward_mma/kernel.cuh:51"));
  }
}

TEST(TileConflicts, OtherAccessesAreNotTilesAndNoTilesShowNothing) {
  EXPECT_EQ(judge_tile_conflicts(counts_of(AccessKind::shared_load, 99)).verdict, Verdict::fail);
  emulate::Counts counts = counts_of(AccessKind::shared_copy, 40);
  counts.sites.push_back(counts_of(AccessKind::shared_store, 99).sites.front());
  EXPECT_EQ(judge_tile_conflicts(counts).verdict, Verdict::pass);
}

}  // namespace
}  // namespace flashcore::gate
