#include "emulate/access_log.h"

#include <algorithm>
#include <bit>

namespace flashcore::emulate {

namespace {

constexpr std::uintptr_t bank_bytes = 4;
constexpr std::uintptr_t line_bytes = 128;  // one word of every bank
constexpr std::uintptr_t sector_bytes = 32;

/// The most different units that the lanes want of one bank, or of one group of banks as wide as
/// the access.
std::uint64_t passes_of_phase(const WarpAccess& access, unsigned first_lane, unsigned lanes,
                              std::uintptr_t unit) {
  std::array<std::array<std::uintptr_t, 32>, 32> wanted;  // NOLINT: filled up to counts
  std::array<std::uint8_t, 32> counts{};
  std::uint8_t most = 0;
  for (unsigned lane = first_lane; lane < first_lane + lanes; ++lane) {
    if ((access.lanes >> lane & 1U) == 0) continue;
    const std::uintptr_t number = access.addresses[lane] / unit;
    const std::size_t bank = number % (line_bytes / unit);
    const auto begin = wanted[bank].begin(), end = begin + counts[bank];
    if (std::find(begin, end, number) != end) continue;
    *end = number;
    most = std::max(most, ++counts[bank]);
  }
  return most;
}

}  // namespace

Passes bank_passes(const WarpAccess& access) {
  const std::uintptr_t unit = std::max(bank_bytes, static_cast<std::uintptr_t>(access.bytes));
  const auto lanes = static_cast<unsigned>(line_bytes / unit);
  Passes passes;
  for (unsigned first = 0; first < 32; first += lanes) {
    const std::uint64_t taken = passes_of_phase(access, first, lanes, unit);
    passes.taken += taken;
    passes.least += taken > 0 ? 1 : 0;
  }
  return passes;
}

Passes global_sectors(const WarpAccess& access) {
  std::array<std::uintptr_t, 64> sectors;  // NOLINT: filled up to count
  std::size_t count = 0;
  std::uint64_t bytes = 0;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if ((access.lanes >> lane & 1U) == 0) continue;
    bytes += access.bytes;
    const std::uintptr_t first = access.addresses[lane] / sector_bytes;
    const std::uintptr_t last = (access.addresses[lane] + access.bytes - 1) / sector_bytes;
    for (const std::uintptr_t sector : {first, last})
      if (count == 0 || sectors[count - 1] != sector) sectors[count++] = sector;
  }
  std::sort(sectors.begin(), sectors.begin() + count);
  const auto end = std::unique(sectors.begin(), sectors.begin() + count);
  const auto taken = static_cast<std::uint64_t>(end - sectors.begin());
  return {taken, std::min(taken, (bytes + sector_bytes - 1) / sector_bytes)};
}

void SiteTable::add(const WarpAccess& access) {
  Sum& sum = sums_[key(access.kind, access.site)];
  sum.kind = access.kind;
  sum.site = access.site;
  const Passes passes = is_shared(access.kind) ? bank_passes(access) : global_sectors(access);
  ++sum.counts.instructions;
  sum.counts.bytes += static_cast<std::uint64_t>(std::popcount(access.lanes)) * access.bytes;
  sum.counts.passes += passes.taken;
  sum.counts.least_passes += passes.least;
}

SiteTable& SiteTable::operator+=(const SiteTable& other) {
  for (const auto& [key, added] : other.sums_) {
    Sum& sum = sums_[key];
    sum.kind = added.kind;
    sum.site = added.site;
    sum.counts += added.counts;
  }
  return *this;
}

std::vector<SiteTable::Sum> SiteTable::sums() const {
  std::vector<Sum> all;
  for (const auto& [key, sum] : sums_) all.push_back(sum);
  return all;
}

void WarpLog::flush(SiteTable& table) {
  if (!flush_alike(table)) flush_by_site(table);
  clear();
}

void WarpLog::clear() {
  for (auto& entries : lanes_) entries.clear();
}

/// The usual case: every lane that did anything did the same.
bool WarpLog::flush_alike(SiteTable& table) {
  const std::vector<Entry>* first = nullptr;
  WarpAccess access;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (lanes_[lane].empty()) continue;
    access.lanes |= 1U << lane;
    if (first == nullptr) first = &lanes_[lane];
    const auto alike = [](const Entry& a, const Entry& b) {
      return a.site == b.site && a.kind == b.kind && a.bytes == b.bytes;
    };
    if (!std::equal(first->begin(), first->end(), lanes_[lane].begin(), lanes_[lane].end(), alike))
      return false;
  }
  if (first == nullptr) return true;
  for (std::size_t i = 0; i < first->size(); ++i) {
    const Entry& entry = (*first)[i];
    access.kind = entry.kind;
    access.bytes = entry.bytes;
    access.site = entry.site;
    for (unsigned lane = 0; lane < 32; ++lane)
      if ((access.lanes >> lane & 1U) != 0) access.addresses[lane] = lanes_[lane][i].address;
    table.add(access);
  }
  return true;
}

void WarpLog::flush_by_site(SiteTable& table) {
  std::unordered_map<std::uint64_t, std::vector<WarpAccess>> sites;
  std::unordered_map<std::uint64_t, std::size_t> passed;  // by this lane
  for (unsigned lane = 0; lane < 32; ++lane) {
    passed.clear();
    for (const Entry& entry : lanes_[lane]) {
      const std::uint64_t key = static_cast<std::uint64_t>(entry.bytes) << 40 |
                                static_cast<std::uint64_t>(entry.kind) << 32 | entry.site;
      std::vector<WarpAccess>& accesses = sites[key];
      const std::size_t time = passed[key]++;
      if (time == accesses.size())
        accesses.push_back(
            {.kind = entry.kind, .bytes = entry.bytes, .site = entry.site, .addresses = {}});
      accesses[time].lanes |= 1U << lane;
      accesses[time].addresses[lane] = entry.address;
    }
  }
  for (const auto& [key, accesses] : sites)
    for (const WarpAccess& access : accesses) table.add(access);
}

}  // namespace flashcore::emulate
