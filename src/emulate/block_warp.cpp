// Instructions that the lanes of a warp execute together.
#include <fmt/format.h>

#include <bit>
#include <utility>

#include "emulate/block.h"
#include "emulate/matrix.h"

namespace flashcore::emulate {

namespace {

/// The operands, as what they are.
template <typename Operand>
std::array<Operand*, 32> as(const std::array<void*, 32>& operands) {
  return std::bit_cast<std::array<Operand*, 32>>(operands);
}

struct Vote {
  bool answer;
  unsigned ballot;
};

}  // namespace

bool Block::last_of_warp(host::Instruction instruction, host::Site site, void* operand) {
  Warp& warp = my_warp();
  require_together(instruction, site);
  warp.instruction = instruction;
  warp.site = site;
  warp.operands[static_cast<std::size_t>(thread % 32)] = operand;
  warp.arrived |= lane_bit();
  if (warp.arrived != whole_warp) {
    wait(instruction, site);
    return false;
  }
  warp.arrived = 0;
  count(instruction);
  if (checks_) warp.log.flush(sites_);
  return true;
}

void Block::require_together(host::Instruction instruction, host::Site site) {
  const Warp& warp = my_warp();
  const bool same = warp.instruction == instruction && warp.site.address() == site.address();
  if ((warp.arrived != 0 && !same) || warp.at_block_barrier != 0 || warp.lanes != whole_warp)
    fail_apart(instruction, site);
  if (warp.arrived != 0) return;
  for (int lane = 0; lane < 32; ++lane)
    if (threads_[static_cast<std::size_t>(thread / 32 * 32 + lane)].gone)
      fail_apart(instruction, site);
}

void Block::fail_apart(host::Instruction instruction, host::Site site) {
  const Warp& warp = my_warp();
  const int first = thread / 32 * 32;
  Finding finding = begin_finding(FindingKind::divergence, site);
  const std::string executes = fmt::format("executes {} of its whole warp, ", name(instruction));
  std::vector<int> others;
  const auto collect = [&](auto&& wanted) {
    for (int lane = 0; lane < 32; ++lane)
      if (wanted(lane)) others.push_back(first + lane);
  };
  if (warp.lanes != whole_warp) {
    finding.parts.push_back(
        {fmt::format("{}of which {} lanes exist", executes, std::popcount(warp.lanes))});
  } else if (warp.arrived != 0) {
    collect([&](int lane) { return (warp.arrived >> lane & 1U) != 0; });
    finding.parts.push_back({fmt::format("{}while {} wait in {}", executes,
                                         describe_threads(others), name(warp.instruction)),
                             grid_.image.line(warp.site)});
  } else if (warp.at_block_barrier != 0) {
    collect([&](int lane) { return (warp.at_block_barrier >> lane & 1U) != 0; });
    finding.parts.push_back({fmt::format("{}while {} wait in {}", executes,
                                         describe_threads(others), name(barrier_.instruction)),
                             grid_.image.line(warp.site)});
  } else {
    collect([&](int lane) { return threads_[static_cast<std::size_t>(first + lane)].gone; });
    finding.parts.push_back(
        {fmt::format("{}of which {} have left the kernel", executes, describe_threads(others))});
  }
  give_up(std::move(finding));
}

void Block::warp_barrier(host::Site site) {
  together(host::Instruction::warp_barrier, site, nullptr, [&](const auto&) {
    if (!checks_) return;
    const auto first = static_cast<std::size_t>(thread / 32 * 32);
    Join& lanes = cluster_.views.start();
    for (std::size_t lane = 0; lane < 32; ++lane) lanes.add(threads_[first + lane].knowledge);
    const ViewRef view = cluster_.views.finish();
    for (std::size_t lane = 0; lane < 32; ++lane) threads_[first + lane].knowledge.view = view;
  });
}

void Block::meet(host::Instruction instruction, host::Site site) {
  together(instruction, site, nullptr, [](const auto&) {});
}

unsigned Block::warp_ballot(bool answer, host::Site site) {
  Vote mine{answer, 0};
  together(host::Instruction::warp_ballot, site, &mine, [](const auto& operands) {
    unsigned ballot = 0;
    for (unsigned lane = 0; lane < 32; ++lane)
      if (as<Vote>(operands)[lane]->answer) ballot |= 1U << lane;
    for (Vote* vote : as<Vote>(operands)) vote->ballot = ballot;
  });
  return mine.ballot;
}

bool Block::warp_any(bool answer, host::Site site) {
  Vote mine{answer, 0};
  together(host::Instruction::warp_any, site, &mine, [](const auto& operands) {
    unsigned any = 0;
    for (const Vote* vote : as<Vote>(operands)) any |= vote->answer ? 1U : 0U;
    for (Vote* vote : as<Vote>(operands)) vote->ballot = any;
  });
  return mine.ballot != 0;
}

float Block::shuffle_xor(float value, int lane_mask, host::Site site) {
  struct Exchange {
    float given;
    float taken;
    int lane_mask;
  } mine{value, 0.0F, lane_mask};
  together(host::Instruction::shuffle, site, &mine, [](const auto& operands) {
    const auto lanes = as<Exchange>(operands);
    for (std::size_t lane = 0; lane < 32; ++lane)
      lanes[lane]->taken =
          lanes[(lane ^ static_cast<unsigned>(lanes[lane]->lane_mask)) % 32]->given;
  });
  return mine.taken;
}

host::Words Block::load_matrices(host::Instruction instruction, unsigned s_row, bool transposed,
                                 host::Site site) {
  constexpr std::size_t row_bytes = 16;
  const unsigned char* row = shared + s_row;
  require_inside(row, row_bytes, "reads", site);
  require_aligned(row, row_bytes, site);
  if (checks_) shared_load(AccessKind::shared_matrix, *this, s_row, row_bytes, site);
  MatrixLoad mine{row, {}};
  together(instruction, site, &mine, [&](const auto& operands) {
    emulate::load_matrices(transposed, as<MatrixLoad>(operands));
  });
  return mine.words;
}

host::Sums Block::multiply_add(device::Element element, host::Sums c, host::Words a, unsigned b_low,
                               unsigned b_high, host::Site site) {
  MatrixOperands mine{c, a, b_low, b_high};
  together(host::Instruction::mma, site, &mine, [&](const auto& operands) {
    emulate::multiply_add(element, as<MatrixOperands>(operands));
  });
  return mine.sums;
}

}  // namespace flashcore::emulate
