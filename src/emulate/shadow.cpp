#include "emulate/shadow.h"

#include <algorithm>

namespace flashcore::emulate {

ReaderSets::Id ReaderSets::with(Id set, const Knowledge& reader, Epoch epoch, SiteId site) {
  const std::uint32_t view = reader.view->serial;
  const std::size_t slot =
      (set * 0x9E3779B1U ^ (epoch.agent() * 31 + epoch.time()) * 0x85EBCA77U) >> 20;
  Found& found = last_found_[slot];
  if (found.set == set && found.epoch == epoch && found.view == view) return found.result;
  found = {set, epoch, view, make(set, reader, epoch, site)};
  return found.result;
}

ReaderSets::Id ReaderSets::make(Id set, const Knowledge& reader, Epoch epoch, SiteId site) {
  const auto first = begins_[set], end = begins_[set + 1];
  for (auto i = first; i < end; ++i)
    if (readers_[i].epoch == epoch) return set;
  for (auto i = first; i < end; ++i) {
    const Access other = readers_[i];  // readers_ grows
    if (!reader.ordered(other.epoch)) readers_.push_back(other);
  }
  readers_.push_back({epoch, site});
  begins_.push_back(static_cast<std::uint32_t>(readers_.size()));
  return static_cast<Id>(begins_.size() - 2);
}

const Access* ReaderSets::unordered(Id set, const Knowledge& thread) const {
  for (auto i = begins_[set]; i < begins_[set + 1]; ++i)
    if (!thread.ordered(readers_[i].epoch)) return &readers_[i];
  return nullptr;
}

void ReaderSets::clear() {
  readers_.clear();
  begins_.assign(2, 0);  // set 0 is empty
  std::fill(last_found_.begin(), last_found_.end(), Found{});
}

std::size_t Shadow::same_until(std::size_t offset, std::size_t end) const {
  std::size_t next = offset + 1;
  while (next < end && writes_[next] == writes_[offset] && reads_[next] == reads_[offset]) ++next;
  return next;
}

bool Shadow::read(std::size_t offset, std::size_t bytes, const Knowledge& thread, Epoch epoch,
                  SiteId site, Conflict& conflict) {
  const std::size_t end = offset + bytes;
  while (offset < end) {
    const Access written = writes_[offset];
    if (!readable(written, thread)) {
      conflict = {offset, written, false};
      return false;
    }
    const std::size_t next = same_until(offset, end);
    const ReaderSets::Id readers = sets_.with(reads_[offset], thread, epoch, site);
    std::fill(reads_.data() + offset, reads_.data() + next, readers);
    offset = next;
  }
  return true;
}

bool Shadow::write(std::size_t offset, std::size_t bytes, const Knowledge& thread, Epoch epoch,
                   SiteId site, Conflict& conflict) {
  const std::size_t end = offset + bytes;
  while (offset < end) {
    const Access written = writes_[offset];
    if (!written.epoch.none() && !thread.ordered(written.epoch)) {
      conflict = {offset, written, false};
      return false;
    }
    if (const Access* reader = sets_.unordered(reads_[offset], thread)) {
      conflict = {offset, *reader, true};
      return false;
    }
    const std::size_t next = same_until(offset, end);
    std::fill(writes_.data() + offset, writes_.data() + next, Access{epoch, site});
    std::fill(reads_.data() + offset, reads_.data() + next, ReaderSets::nobody);
    offset = next;
  }
  return true;
}

void Shadow::grow(std::size_t bytes) {
  writes_.resize(std::max(bytes, writes_.size()));
  reads_.resize(writes_.size());
}

void Shadow::clear() {
  std::fill(writes_.begin(), writes_.end(), Access{});
  std::fill(reads_.begin(), reads_.end(), ReaderSets::nobody);
  sets_.clear();
}

}  // namespace flashcore::emulate
