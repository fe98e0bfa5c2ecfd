// Asynchronous copies: they land when they are waited for, or sooner by the seed.
#include <algorithm>
#include <cstring>

#include "emulate/block.h"

namespace flashcore::emulate {

namespace {

constexpr std::size_t copy_bytes_each = 16;

}  // namespace

void Block::copy_async(unsigned char* s_to, const void* g_from, bool present, host::Site site) {
  count(host::Instruction::copy_async);
  if (checks_) {
    require_inside(s_to, copy_bytes_each, "copies to", site);
    require_aligned(s_to, copy_bytes_each, site);
    if (present) {
      require_aligned(g_from, copy_bytes_each, site);
      global_access(AccessKind::global_copy, g_from, copy_bytes_each, site);
    }
    shared_store(AccessKind::shared_copy, *this, offset(s_to), copy_bytes_each,
                 me().knowledge.copy_epoch(), site);
  }
  Thread& mine = me();
  mine.copies.push_back({s_to, present ? g_from : nullptr});
  std::memset(s_to, 0xFF, copy_bytes_each);  // NaN, until it lands
  if (chance(3)) land(mine, mine.copies.size());
}

void Block::copy_async_commit(host::Site /*site*/) {
  count(host::Instruction::copy_async_commit);
  Thread& mine = me();
  mine.groups.push_back({mine.copies.size(), mine.knowledge.copies_now++});
}

void Block::copy_async_wait(int pending, host::Site /*site*/) {
  count(host::Instruction::copy_async_wait);
  Thread& mine = me();
  const auto kept = static_cast<std::size_t>(pending);
  if (mine.groups.size() <= kept) return;
  const auto done = mine.groups.end() - pending;
  land(mine, done[-1].end);
  mine.knowledge.copies_seen = done[-1].time;
  mine.groups.erase(mine.groups.begin(), done);
}

/// Makes the thread's copies up to `end` land, in an order that the seed chooses.
void Block::land(Thread& owner, std::size_t end) {
  if (end <= owner.landed) return;
  const auto first = owner.copies.begin() + static_cast<std::ptrdiff_t>(owner.landed);
  const auto last = owner.copies.begin() + static_cast<std::ptrdiff_t>(end);
  if (grid_.options.seed != 0) std::shuffle(first, last, cluster_.random());
  for (auto copy = first; copy != last; ++copy) {
    if (copy->g_from != nullptr)
      std::memcpy(copy->s_to, copy->g_from, copy_bytes_each);
    else
      std::memset(copy->s_to, 0, copy_bytes_each);
  }
  owner.landed = end;
}

void Block::mbarrier_arrive_after_copies(void* s_barrier, host::Site site) {
  count(host::Instruction::mbarrier_arrive);
  initialised(*this, offset(s_barrier), "arrives at", site);
  Thread& mine = me();
  copy_arrivals_.push_back(
      {thread, mine.copies.size(), mine.knowledge.copy_epoch(), offset(s_barrier)});
  ++mine.knowledge.copies_now;
}

void Block::land_one(std::size_t index) {
  if (index < copy_arrivals_.size())
    fire_copy_arrival(index);
  else
    land_delivery(index - copy_arrivals_.size());
}

void Block::fire_copy_arrival(std::size_t index) {
  const CopyArrival arrival = copy_arrivals_[index];
  copy_arrivals_.erase(copy_arrivals_.begin() + static_cast<std::ptrdiff_t>(index));
  land(threads_[static_cast<std::size_t>(arrival.thread)], arrival.copies_end);
  Mbarrier& barrier = mbarriers_.at(arrival.barrier);
  barrier.arriving.add(arrival.copies.agent(), arrival.copies.time());
  arrive_at(*this, arrival.barrier, barrier, barrier.site);
}

}  // namespace flashcore::emulate
