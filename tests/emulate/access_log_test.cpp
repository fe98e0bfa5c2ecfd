// What warps' accesses cost, from their addresses.
#include "emulate/access_log.h"

#include <gtest/gtest.h>

namespace flashcore::emulate {
namespace {

/// Lane l at `stride` * l bytes.
WarpAccess strided(AccessKind kind, std::uint32_t bytes, std::uintptr_t stride, int lanes = 32) {
  WarpAccess access{.kind = kind, .bytes = bytes, .site = 1, .lanes = 0, .addresses = {}};
  for (int lane = 0; lane < lanes; ++lane) {
    access.lanes |= 1U << lane;
    access.addresses[static_cast<std::size_t>(lane)] = 4096 + static_cast<unsigned>(lane) * stride;
  }
  return access;
}

void expect_passes(const WarpAccess& access, std::uint64_t taken, std::uint64_t least) {
  const Passes passes = bank_passes(access);
  EXPECT_EQ(passes.taken, taken);
  EXPECT_EQ(passes.least, least);
}

TEST(BankPasses, WordsConflictWhereTheyShareABankAndDiffer) {
  expect_passes(strided(AccessKind::shared_load, 4, 4), 1, 1);
  expect_passes(strided(AccessKind::shared_load, 4, 0), 1, 1);  // one word for all
  expect_passes(strided(AccessKind::shared_load, 4, 8), 2, 1);
  expect_passes(strided(AccessKind::shared_load, 4, 12), 1, 1);
  expect_passes(strided(AccessKind::shared_load, 4, 128), 32, 1);
  expect_passes(strided(AccessKind::shared_load, 4, 128, 5), 5, 1);
}

TEST(BankPasses, HalvesOfAWordAreOneWord) {
  expect_passes(strided(AccessKind::shared_load, 2, 2), 1, 1);
  expect_passes(strided(AccessKind::shared_load, 2, 64), 16, 1);
}

TEST(BankPasses, WideAccessesAreMadeByHalvesAndQuartersOfAWarp) {
  expect_passes(strided(AccessKind::shared_load, 8, 8), 2, 2);
  expect_passes(strided(AccessKind::shared_load, 8, 16), 4, 2);
  expect_passes(strided(AccessKind::shared_load, 16, 16), 4, 4);
  expect_passes(strided(AccessKind::shared_load, 16, 32), 8, 4);
  expect_passes(strided(AccessKind::shared_matrix, 16, 128), 32, 4);
  expect_passes(strided(AccessKind::shared_matrix, 16, 144), 4, 4);  // padded rows
  expect_passes(strided(AccessKind::shared_load, 16, 16, 8), 1, 1);
}

TEST(GlobalSectors, CountWhatIsTouchedAgainstWhatWouldDo) {
  const auto sectors = [](std::uint32_t bytes, std::uintptr_t stride) {
    const Passes passes = global_sectors(strided(AccessKind::global_load, bytes, stride));
    return std::pair(passes.taken, passes.least);
  };
  EXPECT_EQ(sectors(16, 16), std::pair(16UL, 16UL));
  EXPECT_EQ(sectors(4, 4), std::pair(4UL, 4UL));
  EXPECT_EQ(sectors(4, 0), std::pair(1UL, 1UL));
  EXPECT_EQ(sectors(16, 64), std::pair(32UL, 16UL));
  EXPECT_EQ(sectors(2, 256), std::pair(32UL, 2UL));
}

TEST(WarpLog, LanesThatPassASiteForTheSameTimeAreOneInstruction) {
  WarpLog log;
  SiteTable table;
  const auto add = [&](int lane, SiteId site, std::uintptr_t address) {
    log.add(lane, AccessKind::shared_load, 4, reinterpret_cast<const void*>(address), site);
  };
  for (int lane = 0; lane < 32; ++lane) {
    const auto address = static_cast<std::uintptr_t>(4096 + lane * 4);
    if (lane % 2 == 0) add(lane, 1, address);  // half of them take a branch
    add(lane, 2, address);
    add(lane, 2, address + 128);
  }
  log.flush(table);
  log.flush(table);  // nothing is left
  std::uint64_t at_one = 0, at_two = 0;
  for (const auto& sum : table.sums()) {
    (sum.site == 1 ? at_one : at_two) = sum.counts.instructions;
    EXPECT_EQ(sum.counts.excess(), 0U);
    EXPECT_EQ(sum.counts.bytes, sum.site == 1 ? 64U : 256U);
  }
  EXPECT_EQ(at_one, 1U);
  EXPECT_EQ(at_two, 2U);
}

/// Instructions that the lanes' two words make, `stride` bytes from lane to lane.
std::uint64_t instructions_of_two_words(std::uintptr_t stride) {
  WarpLog log;
  SiteTable table;
  for (std::uintptr_t lane = 0; lane < 32; ++lane)
    for (const SiteId site : {1U, 2U})
      log.add(static_cast<int>(lane), AccessKind::shared_store, 4,
              reinterpret_cast<const void*>(4096 + lane * stride + (site - 1) * 4), site);
  log.flush(table);
  std::uint64_t instructions = 0;
  for (const auto& sum : table.sums()) instructions += sum.counts.instructions;
  return instructions;
}

TEST(WarpLog, NeighbouringWordsAreOneAccessWhereEveryLaneIsAligned) {
  EXPECT_EQ(instructions_of_two_words(8), 1U);
  EXPECT_EQ(instructions_of_two_words(288), 1U);
  EXPECT_EQ(instructions_of_two_words(12), 2U);
}

}  // namespace
}  // namespace flashcore::emulate
