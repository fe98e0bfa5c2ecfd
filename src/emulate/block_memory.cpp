// A block's plain loads and stores.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <utility>

#include "emulate/block.h"

namespace flashcore::emulate {

void Block::load(const void* from, std::size_t bytes, bool aligned, host::Site site) {
  if (!checks_) return;
  if (aligned) require_aligned(from, bytes, site);
  if (!in_shared(from)) return global_access(AccessKind::global_load, from, bytes, site);
  require_inside(from, bytes, "reads", site);
  shared_load(AccessKind::shared_load, *this, offset(from), bytes, site);
}

void Block::store(void* to, std::size_t bytes, bool aligned, host::Site site) {
  if (!checks_) return;
  if (aligned) require_aligned(to, bytes, site);
  if (!in_shared(to)) return global_access(AccessKind::global_store, to, bytes, site);
  require_inside(to, bytes, "writes", site);
  shared_store(AccessKind::shared_store, *this, offset(to), bytes, me().knowledge.epoch(), site);
}

void Block::copy_bytes(void* to, const void* from, std::size_t bytes, host::Site site) {
  if (!on_stack(from))
    load(from, bytes, false, site);
  else if (products_in_flight != 0)
    stack_access(from, bytes, false, site);
  if (!on_stack(to))
    store(to, bytes, false, site);
  else if (products_in_flight != 0)
    stack_access(to, bytes, true, site);
  std::memmove(to, from, bytes);
}

void Block::fill_bytes(void* to, int value, std::size_t bytes, host::Site site) {
  if (!on_stack(to))
    store(to, bytes, false, site);
  else if (products_in_flight != 0)
    stack_access(to, bytes, true, site);
  std::memset(to, value, bytes);
}

void Block::require_aligned(const void* address, std::size_t alignment, host::Site site) {
  const auto number = reinterpret_cast<std::uintptr_t>(address);
  if (number % alignment == 0 || !checks_) return;
  Finding finding = begin_finding(FindingKind::misaligned, site);
  finding.parts.push_back({fmt::format("an access that must be aligned to {} bytes is {}",
                                       alignment, describe_place(address))});
  give_up(std::move(finding));
}

void Block::require_inside(const void* address, std::size_t bytes, const char* action,
                           host::Site site) {
  const std::size_t first = offset(address);
  if (first <= shared_bytes_ && bytes <= shared_bytes_ - first) return;
  Finding finding = begin_finding(FindingKind::out_of_bounds, site);
  finding.parts.push_back({fmt::format("{} {} bytes {}", action, bytes, describe_place(address))});
  give_up(std::move(finding));
}

std::string Block::describe_place(const void* address) const {
  const std::size_t after = offset(address);
  const std::size_t distance = after < shared_bytes_ ? 0 : std::min(after - shared_bytes_, -after);
  const GlobalMap::Place place = grid_.global.nearest(address);
  if (place.distance < distance) return place.text;
  return fmt::format("at byte {} of shared memory, which has {}",
                     static_cast<std::ptrdiff_t>(after), shared_bytes_);
}

void Block::note(AccessKind kind, const void* address, std::size_t bytes, host::Site site) {
  // What is not one access of a GPU's size is several of words or bytes.
  const auto number = reinterpret_cast<std::uintptr_t>(address);
  const bool whole = bytes <= 16 && std::has_single_bit(bytes) && number % bytes == 0;
  const std::size_t piece = whole ? bytes : number % 4 == 0 && bytes % 4 == 0 ? 4 : 1;
  for (std::size_t i = 0; i < bytes; i += piece)
    my_warp().log.add(thread % 32, kind, static_cast<std::uint32_t>(piece),
                      static_cast<const unsigned char*>(address) + i, grid_.image.id(site));
}

void Block::shared_load(AccessKind kind, Block& of, std::size_t first, std::size_t bytes,
                        host::Site site) {
  Shadow::Conflict conflict;
  const Knowledge& knowledge = me().knowledge;
  if (!of.shadow_.read(first, bytes, knowledge, knowledge.epoch(), grid_.image.id(site), conflict))
    fail_conflict(fmt::format("reads {} bytes of {}, of which byte {}", bytes, describe_shared(of),
                              conflict.offset),
                  conflict, site);
  note(kind, of.shared + first, bytes, site);
}

void Block::shared_store(AccessKind kind, Block& of, std::size_t first, std::size_t bytes,
                         Epoch epoch, host::Site site) {
  Shadow::Conflict conflict;
  if (!of.shadow_.write(first, bytes, me().knowledge, epoch, grid_.image.id(site), conflict))
    fail_conflict(fmt::format("writes {} bytes of {}, of which byte {}", bytes, describe_shared(of),
                              conflict.offset),
                  conflict, site);
  note(kind, of.shared + first, bytes, site);
}

void Block::global_access(AccessKind kind, const void* address, std::size_t bytes,
                          host::Site site) {
  if (require_global(kind == AccessKind::global_store, address, bytes, site))
    note(kind, address, bytes, site);
}

bool Block::require_global(bool writes, const void* address, std::size_t bytes, host::Site site) {
  const Buffer* buffer = grid_.global.holding(address, bytes);
  if (buffer == nullptr && !writes && grid_.image.holds(address)) return false;  // a constant
  if (buffer != nullptr && (buffer->written || !writes)) {
    if (buffer->written) require_ordered(writes, *buffer, address, bytes, site);
    return true;
  }
  Finding finding = begin_finding(FindingKind::out_of_bounds, site);
  finding.parts.push_back(
      {fmt::format("{} {} bytes {}{}", writes ? "writes" : "reads", bytes, describe_place(address),
                   buffer != nullptr ? ", and is an input" : "")});
  give_up(std::move(finding));
}

/// Between the threads of the cluster.
void Block::require_ordered(bool writes, const Buffer& buffer, const void* address,
                            std::size_t bytes, host::Site site) {
  const SiteId id = grid_.image.id(site);
  Shadow::Conflict conflict;
  const Knowledge& knowledge = me().knowledge;
  const bool ordered = writes
                           ? cluster_.global_shadow.write(address, bytes, knowledge, id, conflict)
                           : cluster_.global_shadow.read(address, bytes, knowledge, id, conflict);
  if (ordered) return;
  const auto base = reinterpret_cast<std::uintptr_t>(buffer.base);
  fail_conflict(fmt::format("{} {} bytes of {}, of which byte {}", writes ? "writes" : "reads",
                            bytes, buffer.name, conflict.offset - base),
                conflict, site);
}

void Block::fail_conflict(const std::string& access, const Shadow::Conflict& conflict,
                          host::Site site) {
  const Epoch epoch = conflict.other.epoch;
  if (epoch.none()) {
    Finding finding = begin_finding(FindingKind::unwritten, site);
    finding.parts.push_back({access + " was never written"});
    give_up(std::move(finding));
  }
  const SourceLine other = grid_.image.line(conflict.other.site);
  const Agents::Owner owner = agents_.owner(epoch.agent());
  if (owner.kind == Agents::Kind::thread) {
    Finding finding = begin_finding(FindingKind::race, site);
    finding.parts.push_back({fmt::format("{} {} {}", access, describe_thread(epoch.agent()),
                                         conflict.with_read ? "read" : "wrote"),
                             other});
    finding.parts.push_back({owner.rank == rank
                                 ? ", and no barrier lies between"
                                 : ", and no barrier of the cluster's scope lies between"});
    give_up(std::move(finding));
  }
  if (owner.kind != Agents::Kind::copies) fail_async_conflict(access, conflict, site);
  const Block& starter = cluster_.block(owner.rank);
  const Knowledge& starting = starter.threads_[static_cast<std::size_t>(owner.number)].knowledge;
  const bool waited = starting.copies_seen >= epoch.time();
  Finding finding = begin_finding(waited ? FindingKind::race : FindingKind::pending_copy, site);
  finding.parts.push_back(
      {fmt::format("{} is the {} of an asynchronous copy that {} started", access,
                   conflict.with_read ? "source" : "target", describe_thread(starting.self)),
       other});
  finding.parts.push_back({waited ? ", and no barrier lies between that thread's wait and this"
                                  : ", and that has not been waited for"});
  give_up(std::move(finding));
}

/// With a matrix product, or what arrives at an mbarrier.
void Block::fail_async_conflict(const std::string& access, const Shadow::Conflict& conflict,
                                host::Site site) {
  const Epoch epoch = conflict.other.epoch;
  const Agents::Owner owner = agents_.owner(epoch.agent());
  const Block& of = cluster_.block(owner.rank);
  bool waited = false;
  std::string what, missing;
  if (owner.kind == Agents::Kind::products) {
    what = fmt::format("is read by a matrix product that warp {} started", owner.number);
    missing = ", and no barrier lies between that warp's wait and this";
    const auto first_lane = static_cast<std::size_t>(owner.number) * 32;
    waited = of.threads_[first_lane].knowledge.products_seen >= epoch.time();
  } else {
    what = fmt::format("is the {} of a copy that arrives at an mbarrier{}, and was started",
                       conflict.with_read ? "source" : "target",
                       &of == this ? "" : fmt::format(" of block {}", of.block));
    missing = ", and this thread has not waited for the mbarrier";
    for (const auto& [place, barrier] : of.mbarriers_) {
      if (barrier.copies != epoch.agent() && barrier.sent != epoch.agent()) continue;
      waited = barrier.phases >= epoch.time();
      if (barrier.sent == epoch.agent()) missing += " with wait_cluster";
    }
  }
  Finding finding = begin_finding(waited ? FindingKind::race : FindingKind::pending_copy, site);
  finding.parts.push_back({access + ' ' + what, grid_.image.line(conflict.other.site)});
  finding.parts.push_back({waited ? missing : ", and that is not complete"});
  give_up(std::move(finding));
}

}  // namespace flashcore::emulate
