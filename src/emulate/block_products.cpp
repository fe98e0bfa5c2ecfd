// Asynchronous matrix products: started by a warpgroup's warps, executed when they are waited for,
// or sooner by the seed. Each warp has 16 of the 64 rows.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "device/tile/fragment.h"
#include "emulate/block.h"
#include "emulate/matrix.h"
#include "emulate/shared_operand.h"

namespace flashcore::emulate {

namespace {

constexpr int warpgroup_warps = 4;
constexpr std::size_t columns_per_tile = 8;
constexpr std::size_t product_depth = 16;
constexpr std::size_t rows_of_warp = 16;

bool same(const host::Product& a, const host::Product& b) {
  return a.columns == b.columns && a.element == b.element && a.transposed_b == b.transposed_b &&
         a.accumulate == b.accumulate && a.a_in_registers == b.a_in_registers &&
         a.descriptor_a == b.descriptor_a && a.descriptor_b == b.descriptor_b;
}

/// The chunks of an operand that a warp reads: `lines` lines of `chunks` from `first_line` on.
struct OperandPart {
  SharedOperand operand;
  std::size_t first_line;
  std::size_t lines;
  std::size_t chunks;
};

OperandPart part_a(const host::Product& product, std::size_t warp_of_group) {
  return {SharedOperand(product.descriptor_a), warp_of_group * rows_of_warp, rows_of_warp, 2};
}

OperandPart part_b(const host::Product& product) {
  const auto columns = static_cast<std::size_t>(product.columns);
  const SharedOperand operand(product.descriptor_b);
  if (product.transposed_b) return {operand, 0, product_depth, columns / columns_per_tile};
  return {operand, 0, columns, 2};
}

/// Calls visit(line of the part, chunk, its byte of shared memory).
template <typename Visit>
void for_each_chunk(const OperandPart& part, Visit&& visit) {
  for (std::size_t line = 0; line < part.lines; ++line)
    for (std::size_t chunk = 0; chunk < part.chunks; ++chunk)
      visit(line, chunk, part.operand.place(part.first_line + line, chunk));
}

/// A part as elements, line by line.
std::vector<std::uint16_t> elements_of(const OperandPart& part, const unsigned char* shared) {
  std::vector<std::uint16_t> elements(part.lines * part.chunks * 8);
  for_each_chunk(part, [&](std::size_t line, std::size_t chunk, std::size_t place) {
    std::memcpy(elements.data() + (line * part.chunks + chunk) * 8, shared + place,
                SharedOperand::chunk_bytes);
  });
  return elements;
}

}  // namespace

void Block::start_product(host::Product product, host::Site site) {
  together(host::Instruction::wgmma, site, &product, [&](const auto& operands) {
    const auto lanes = std::bit_cast<std::array<host::Product*, 32>>(operands);
    require_same_product(lanes, site);
    Warp& warp = my_warp();
    if (checks_) read_operands(product, Epoch(me().knowledge.products, warp.product_group), site);
    StartedProduct started{*lanes[0], {}, sums_of(lanes, site), warp.product_group};
    for (std::size_t lane = 0; lane < 32; ++lane) started.a[lane] = lanes[lane]->a;
    warp.sums[started.sums].last_group = warp.product_group;
    warp.products.push_back(started);
    if (chance(3)) execute_products(warp, warp.product_group);
  });
}

/// Of the lanes, and of the warps of the warpgroup, whose n-th products are one.
void Block::require_same_product(const std::array<host::Product*, 32>& lanes, host::Site site) {
  const host::Product& mine = *lanes[0];
  const auto group = static_cast<std::size_t>(thread / 32 / warpgroup_warps);
  auto& started = group_products_[group];
  Warp& warp = my_warp();
  if (warp.products_started == started.size()) started.push_back({mine, site});
  const LoggedProduct& first = started[warp.products_started++];
  const bool lanes_agree =
      std::ranges::all_of(lanes, [&](const host::Product* lane) { return same(*lane, mine); });
  const bool whole = (group + 1) * warpgroup_warps <= warps_.size();
  const bool known = SharedOperand::known(mine.descriptor_b) &&
                     (mine.a_in_registers || SharedOperand::known(mine.descriptor_a));
  if (lanes_agree && whole && known && same(first.product, mine) &&
      first.site.address() == site.address())
    return;
  Finding finding = begin_finding(FindingKind::divergence, site);
  if (!lanes_agree)
    finding.parts.push_back({"starts a matrix product whose operands differ within its warp"});
  else if (!whole)
    finding.parts.push_back({"starts a matrix product in a warpgroup of fewer than four warps"});
  else if (!known)
    finding.parts.push_back(
        {"starts a matrix product by a descriptor that is not of tiles "
         "swizzled by 128 bytes at multiples of 1024"});
  else
    finding.parts.push_back(
        {"starts a matrix product while another warp of its warpgroup has "
         "started another",
         grid_.image.line(first.site)});
  give_up(std::move(finding));
}

void Block::read_operands(const host::Product& product, Epoch epoch, host::Site site) {
  const auto read = [&](const OperandPart& part) {
    for_each_chunk(part, [&](std::size_t, std::size_t, std::size_t place) {
      require_inside(shared + place, SharedOperand::chunk_bytes, "multiplies", site);
      async_read(place, SharedOperand::chunk_bytes, epoch, site);
    });
    sites_.add_bulk(AccessKind::shared_matrix, grid_.image.id(site),
                    part.lines * part.chunks * SharedOperand::chunk_bytes);
  };
  const auto warp_of_group = static_cast<std::size_t>(thread / 32 % warpgroup_warps);
  if (!product.a_in_registers) read(part_a(product, warp_of_group));
  read(part_b(product));
}

/// The number of the sums in flight that the lanes name: they go on where a product before has
/// them, and are taken from the registers otherwise.
std::size_t Block::sums_of(const std::array<host::Product*, 32>& lanes, host::Site site) {
  Warp& warp = my_warp();
  for (std::size_t i = 0; i < warp.sums.size(); ++i)
    if (warp.sums[i].lanes[0] == lanes[0]->sums) return i;
  if (!warp.products_fenced) {
    Finding finding = begin_finding(FindingKind::barrier, site);
    finding.parts.push_back({"starts a matrix product with no wgmma_fence since the last wait"});
    give_up(std::move(finding));
  }
  SumsInFlight sums;
  sums.columns = static_cast<std::size_t>(lanes[0]->columns);
  sums.site = site;
  sums.values.resize(rows_of_warp * sums.columns);
  for (std::size_t lane = 0; lane < 32; ++lane) sums.lanes[lane] = lanes[lane]->sums;
  sums.exchange([](float& value, float& in_register) {
    value = in_register;
    in_register = std::bit_cast<float>(~0U);  // NaN, until it is waited for
  });
  warp.sums.push_back(std::move(sums));
  ++products_in_flight;
  return warp.sums.size() - 1;
}

template <typename Exchange>
void Block::SumsInFlight::exchange(Exchange&& exchange_one) {
  for (int lane = 0; lane < 32; ++lane)
    for (std::size_t tile = 0; tile < columns / columns_per_tile; ++tile)
      for (int i = 0; i < 4; ++i) {
        const device::TilePlace place = device::sum_place(lane, i);
        exchange_one(values[static_cast<std::size_t>(place.row) * columns +
                            tile * columns_per_tile + static_cast<std::size_t>(place.column)],
                     lanes[static_cast<std::size_t>(lane)][tile * 4 + static_cast<std::size_t>(i)]);
      }
}

/// Those of the groups up to this one, in order.
void Block::execute_products(Warp& warp, std::uint32_t last_group) {
  const auto warp_of_group = static_cast<std::size_t>(&warp - warps_.data()) % warpgroup_warps;
  while (!warp.products.empty() && warp.products.front().group <= last_group) {
    const StartedProduct& started = warp.products.front();
    execute(started, warp_of_group, warp.sums[started.sums]);
    warp.products.pop_front();
  }
}

void Block::execute(const StartedProduct& started, std::size_t warp_of_group, SumsInFlight& sums) {
  const host::Product& product = started.product;
  MatrixTile tile;
  if (product.a_in_registers) {
    for (int lane = 0; lane < 32; ++lane)
      keep_a(lane, started.a[static_cast<std::size_t>(lane)], tile);
  } else {
    const auto a = elements_of(part_a(product, warp_of_group), shared);
    for (std::size_t i = 0; i < a.size(); ++i) tile.a[i / product_depth][i % product_depth] = a[i];
  }
  const OperandPart part = part_b(product);
  const auto b = elements_of(part, shared);
  const std::size_t line_elements = part.chunks * 8;
  for (std::size_t first = 0; first < sums.columns; first += columns_per_tile) {
    for (std::size_t k = 0; k < product_depth; ++k)
      for (std::size_t n = 0; n < columns_per_tile; ++n)
        tile.b[k][n] = product.transposed_b ? b[k * line_elements + first + n]
                                            : b[(first + n) * line_elements + k];
    for (std::size_t row = 0; row < rows_of_warp; ++row)
      for (std::size_t n = 0; n < columns_per_tile; ++n)
        tile.sums[row][n] = product.accumulate ? sums.values[row * sums.columns + first + n] : 0;
    emulate::multiply_add(product.element, tile);
    for (std::size_t row = 0; row < rows_of_warp; ++row)
      std::copy_n(tile.sums[row], columns_per_tile, &sums.values[row * sums.columns + first]);
  }
}

void Block::products_fence(host::Site site) {
  together(host::Instruction::wgmma_fence, site, nullptr,
           [&](const auto&) { my_warp().products_fenced = true; });
}

void Block::products_commit(host::Site site) {
  together(host::Instruction::wgmma_commit, site, nullptr,
           [&](const auto&) { ++my_warp().product_group; });
}

void Block::products_wait(int pending, host::Site site) {
  together(host::Instruction::wgmma_wait, site, nullptr, [&](const auto&) {
    Warp& warp = my_warp();
    warp.products_fenced = false;
    const auto kept = static_cast<std::uint32_t>(pending) + 1;  // and the open one
    if (warp.product_group <= kept) return;
    const std::uint32_t last = warp.product_group - kept;
    execute_products(warp, last);
    hand_back_sums(warp, last);
    const auto first = static_cast<std::size_t>(thread / 32 * 32);
    for (std::size_t lane = 0; lane < 32; ++lane)
      threads_[first + lane].knowledge.products_seen = last;
  });
}

/// Sums that no product after the group has to do with are in the registers again.
void Block::hand_back_sums(Warp& warp, std::uint32_t last_group) {
  std::vector<std::size_t> moved_to(warp.sums.size());
  std::vector<SumsInFlight> kept;
  for (std::size_t i = 0; i < warp.sums.size(); ++i) {
    SumsInFlight& sums = warp.sums[i];
    moved_to[i] = kept.size();
    if (sums.last_group > last_group) {
      kept.push_back(std::move(sums));
      continue;
    }
    sums.exchange([](float& value, float& in_register) { in_register = value; });
    --products_in_flight;
  }
  warp.sums = std::move(kept);
  for (StartedProduct& started : warp.products) started.sums = moved_to[started.sums];
}

/// While products are in flight: a thread reads or writes its own stack.
void Block::stack_access(const void* address, std::size_t bytes, bool writes, host::Site site) {
  if (!checks_) return;
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  for (const SumsInFlight& sums : my_warp().sums) {
    const auto first =
        reinterpret_cast<std::uintptr_t>(sums.lanes[static_cast<std::size_t>(thread % 32)]);
    if (begin + bytes <= first || begin >= first + sums.columns / 2 * sizeof(float)) continue;
    Finding finding = begin_finding(FindingKind::pending_copy, site);
    finding.parts.push_back(
        {fmt::format("{} sums of a matrix product that was started", writes ? "writes" : "reads"),
         grid_.image.line(sums.site)});
    finding.parts.push_back({", and that has not been waited for"});
    give_up(std::move(finding));
  }
}

}  // namespace flashcore::emulate
