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
  shared_load(AccessKind::shared_load, offset(from), bytes, site);
}

void Block::store(void* to, std::size_t bytes, bool aligned, host::Site site) {
  if (!checks_) return;
  if (aligned) require_aligned(to, bytes, site);
  if (!in_shared(to)) return global_access(AccessKind::global_store, to, bytes, site);
  require_inside(to, bytes, "writes", site);
  shared_store(AccessKind::shared_store, offset(to), bytes, me().knowledge.epoch(), site);
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

void Block::shared_load(AccessKind kind, std::size_t first, std::size_t bytes, host::Site site) {
  Shadow::Conflict conflict;
  if (!shadow_.read(first, bytes, me().knowledge, me().knowledge.epoch(), grid_.image.id(site),
                    conflict))
    fail_conflict(
        fmt::format("reads {} bytes of shared memory, of which byte {}", bytes, conflict.offset),
        conflict, site);
  note(kind, shared + first, bytes, site);
}

void Block::shared_store(AccessKind kind, std::size_t first, std::size_t bytes, Epoch epoch,
                         host::Site site) {
  Shadow::Conflict conflict;
  if (!shadow_.write(first, bytes, me().knowledge, epoch, grid_.image.id(site), conflict))
    fail_conflict(
        fmt::format("writes {} bytes of shared memory, of which byte {}", bytes, conflict.offset),
        conflict, site);
  note(kind, shared + first, bytes, site);
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

/// Between the threads of this block.
void Block::require_ordered(bool writes, const Buffer& buffer, const void* address,
                            std::size_t bytes, host::Site site) {
  const SiteId id = grid_.image.id(site);
  Shadow::Conflict conflict;
  const Knowledge& knowledge = me().knowledge;
  const bool ordered = writes ? global_shadow_.write(address, bytes, knowledge, id, conflict)
                              : global_shadow_.read(address, bytes, knowledge, id, conflict);
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
  const auto threads = static_cast<Agent>(thread_count_);
  if (epoch.agent() < threads) {
    Finding finding = begin_finding(FindingKind::race, site);
    finding.parts.push_back({fmt::format("{} thread {} {}", access, epoch.agent(),
                                         conflict.with_read ? "read" : "wrote"),
                             other});
    finding.parts.push_back({", and no barrier lies between"});
    give_up(std::move(finding));
  }
  if (epoch.agent() >= first_products_agent()) fail_async_conflict(access, conflict, site);
  const int owner = static_cast<int>(epoch.agent() - threads);
  const bool waited =
      threads_[static_cast<std::size_t>(owner)].knowledge.copies_seen >= epoch.time();
  Finding finding = begin_finding(waited ? FindingKind::race : FindingKind::pending_copy, site);
  finding.parts.push_back(
      {fmt::format("{} is the {} of an asynchronous copy that thread {} started", access,
                   conflict.with_read ? "source" : "target", owner),
       other});
  finding.parts.push_back({waited ? ", and no barrier lies between that thread's wait and this"
                                  : ", and that has not been waited for"});
  give_up(std::move(finding));
}

/// With a matrix product, or a copy that arrives at an mbarrier.
void Block::fail_async_conflict(const std::string& access, const Shadow::Conflict& conflict,
                                host::Site site) {
  const Agent agent = conflict.other.epoch.agent();
  const bool product = agent < first_barrier_agent();
  bool waited = false;
  std::string what = "is the target of a copy that arrives at an mbarrier, and was started";
  if (product) {
    const std::size_t warp = agent - first_products_agent();
    what = fmt::format("is read by a matrix product that warp {} started", warp);
    waited = threads_[warp * 32].knowledge.products_seen >= conflict.other.epoch.time();
  } else {
    for (const auto& [place, barrier] : mbarriers_)
      if (barrier.copies == agent) waited = barrier.phases >= conflict.other.epoch.time();
  }
  Finding finding = begin_finding(waited ? FindingKind::race : FindingKind::pending_copy, site);
  finding.parts.push_back({access + ' ' + what, grid_.image.line(conflict.other.site)});
  finding.parts.push_back({!waited   ? ", and that is not complete"
                           : product ? ", and no barrier lies between that warp's wait and this"
                                     : ", and this thread has not waited for the mbarrier"});
  give_up(std::move(finding));
}

}  // namespace flashcore::emulate
