// From the accesses of single threads to the instructions of their warps, and what those cost.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "emulate/counters.h"
#include "emulate/site.h"

namespace flashcore::emulate {

/// The lanes of a warp, as addresses of one access each.
struct WarpAccess {
  AccessKind kind = AccessKind::shared_load;
  std::uint32_t bytes = 0;  // of a lane
  SiteId site = 0;
  std::uint32_t lanes = 0;  // bit l: lane l takes part
  std::array<std::uintptr_t, 32> addresses{};
};

/// Turns that the shared memory's banks take: 32 banks of 4 bytes, each of which gives one word in
/// a turn to all that want it. Accesses of 8 bytes are made by half warps, of 16 by quarters.
struct Passes {
  std::uint64_t taken = 0;
  std::uint64_t least = 0;
};
Passes bank_passes(const WarpAccess& access);

/// Sectors of 32 bytes that are touched, and the fewest that could hold as many bytes.
Passes global_sectors(const WarpAccess& access);

/// Adds up warps' accesses by site.
class SiteTable {
 public:
  void add(const WarpAccess& access);
  /// What the copy engine or the tensor cores move by themselves: whole lines, without conflicts.
  void add_bulk(AccessKind kind, SiteId site, std::uint64_t bytes);
  /// The sums, without names of places.
  struct Sum {
    AccessKind kind = AccessKind::shared_load;
    SiteId site = 0;
    SiteCounts counts;
  };
  [[nodiscard]] std::vector<Sum> sums() const;
  SiteTable& operator+=(const SiteTable& other);

 private:
  static std::uint64_t key(AccessKind kind, SiteId site) {
    return static_cast<std::uint64_t>(kind) << 32 | site;
  }
  std::unordered_map<std::uint64_t, Sum> sums_;
};

/// What the lanes of one warp did since they last met.
class WarpLog {
 public:
  void add(int lane, AccessKind kind, std::uint32_t bytes, const void* address, SiteId site) {
    lanes_[static_cast<std::size_t>(lane)].push_back(
        {reinterpret_cast<std::uintptr_t>(address), site, static_cast<std::uint16_t>(bytes), kind});
  }
  /// The lanes meet: their accesses become the warp's, the n-th of each lane at a site together.
  void flush(SiteTable& table);
  void clear();

 private:
  struct Entry {
    std::uintptr_t address;
    SiteId site;
    std::uint16_t bytes;
    AccessKind kind;
  };
  bool gather_alike();
  void gather_by_site();
  [[nodiscard]] std::size_t joined(std::size_t begin) const;

  std::array<std::vector<Entry>, 32> lanes_;
  std::vector<WarpAccess> accesses_;  // while it is flushed
};

}  // namespace flashcore::emulate
