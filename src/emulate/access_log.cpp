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

void SiteTable::add_bulk(AccessKind kind, SiteId site, std::uint64_t bytes) {
  Sum& sum = sums_[key(kind, site)];
  sum.kind = kind;
  sum.site = site;
  const std::uintptr_t unit = is_shared(kind) ? line_bytes : sector_bytes;
  ++sum.counts.instructions;
  sum.counts.bytes += bytes;
  sum.counts.passes += (bytes + unit - 1) / unit;
  sum.counts.least_passes += (bytes + unit - 1) / unit;
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
  accesses_.clear();
  if (!gather_alike()) gather_by_site();
  for (std::size_t i = 0; i < accesses_.size();) {
    const std::size_t count = joined(i);
    accesses_[i].bytes *= static_cast<std::uint32_t>(count);
    table.add(accesses_[i]);
    i += count;
  }
  clear();
}

void WarpLog::clear() {
  for (auto& entries : lanes_) entries.clear();
}

/// The usual case: every lane that did anything did the same.
bool WarpLog::gather_alike() {
  std::uint32_t lanes = 0;
  const std::vector<Entry>* first = nullptr;
  for (unsigned lane = 0; lane < 32; ++lane) {
    if (lanes_[lane].empty()) continue;
    lanes |= 1U << lane;
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
    WarpAccess& access = accesses_.emplace_back();
    access.kind = entry.kind;
    access.bytes = entry.bytes;
    access.site = entry.site;
    access.lanes = lanes;
    for (unsigned lane = 0; lane < 32; ++lane)
      if ((lanes >> lane & 1U) != 0) access.addresses[lane] = lanes_[lane][i].address;
  }
  return true;
}

/// Otherwise: the n-th time of each lane at a site, in the order of the first lane that came there.
void WarpLog::gather_by_site() {
  struct Place {
    std::uint64_t key;
    std::size_t time;
    bool operator==(const Place&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Place& place) const {
      return (place.key * 0x9E3779B97F4A7C15U) ^ place.time;
    }
  };
  std::unordered_map<Place, std::size_t, Hash> places;    // in accesses_
  std::unordered_map<std::uint64_t, std::size_t> passed;  // by this lane
  for (unsigned lane = 0; lane < 32; ++lane) {
    passed.clear();
    for (const Entry& entry : lanes_[lane]) {
      const std::uint64_t key = static_cast<std::uint64_t>(entry.bytes) << 40 |
                                static_cast<std::uint64_t>(entry.kind) << 32 | entry.site;
      const auto [found, added] = places.try_emplace({key, passed[key]++}, accesses_.size());
      if (added) {
        WarpAccess& access = accesses_.emplace_back();
        access.kind = entry.kind;
        access.bytes = entry.bytes;
        access.site = entry.site;
      }
      accesses_[found->second].lanes |= 1U << lane;
      accesses_[found->second].addresses[lane] = entry.address;
    }
  }
}

/// How many accesses from number `begin` on a GPU's compiler makes one of: neighbouring words that
/// one instruction of 8 or 16 bytes could carry in every lane. (A host's compiler takes a vector
/// apart whose elements are computed one by one.)
std::size_t WarpLog::joined(std::size_t begin) const {
  const WarpAccess& first = accesses_[begin];
  if (first.bytes < bank_bytes) return 1;
  const auto follows = [&](std::size_t i) {
    const WarpAccess& access = accesses_[begin + i];
    if (access.kind != first.kind || access.bytes != first.bytes || access.lanes != first.lanes)
      return false;
    for (unsigned lane = 0; lane < 32; ++lane)
      if ((first.lanes >> lane & 1U) != 0 &&
          access.addresses[lane] != first.addresses[lane] + i * first.bytes)
        return false;
    return true;
  };
  const auto aligned = [&](std::size_t bytes) {
    for (unsigned lane = 0; lane < 32; ++lane)
      if ((first.lanes >> lane & 1U) != 0 && first.addresses[lane] % bytes != 0) return false;
    return true;
  };
  for (const std::size_t bytes : {16U, 8U}) {
    const std::size_t count = bytes / first.bytes;
    if (count < 2 || begin + count > accesses_.size() || !aligned(bytes)) continue;
    std::size_t following = 1;
    while (following < count && follows(following)) ++following;
    if (following == count) return count;
  }
  return 1;
}

}  // namespace flashcore::emulate
