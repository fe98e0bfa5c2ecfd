// Copies of the copy engine: boxes of tensors to shared memory, which land in the phase of an
// mbarrier that counts their bytes, and back, which read it until they are waited for.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "emulate/block.h"

namespace flashcore::emulate {

EncodedTensor Block::decoded(const void* map, host::Site site) {
  if (const auto tensor = decode(map)) return *tensor;
  Finding finding = begin_finding(FindingKind::out_of_bounds, site);
  finding.parts.push_back({"copies by something that is no tensor map of the emulator's"});
  give_up(std::move(finding));
}

void Block::prefetch_tensor_map(const void* map, host::Site site) {
  count(host::Instruction::tensor_prefetch);
  decoded(map, site);
}

void Block::require_box(const EncodedTensor& tensor, const void* s_box, const char* action,
                        host::Site site) {
  require_inside(s_box, tensor.box_bytes(), action, site);
  require_aligned(s_box, tensor.alignment(), site);
}

/// The box's bytes in global memory belong to a buffer, and nobody else has to do with them.
void Block::global_box(bool writes, const EncodedTensor& tensor, const host::Coordinates& at,
                       host::Site site) {
  std::uint64_t bytes = 0;
  for (const BoxLine& line : tensor.lines(at)) {
    if (line.begin == line.end) continue;
    require_global(writes, reinterpret_cast<const void*>(line.g_first), line.end - line.begin,
                   site);
    bytes += line.end - line.begin;
  }
  sites_.add_bulk(writes ? AccessKind::global_store : AccessKind::global_copy, grid_.image.id(site),
                  bytes);
}

void Block::load_tensor(const void* map, unsigned char* s_to, void* s_barrier, host::Coordinates at,
                        host::Site site) {
  count(host::Instruction::tensor_load);
  const EncodedTensor tensor = decoded(map, site);
  Mbarrier& barrier = initialised(s_barrier, "starts a copy that arrives at", site);
  require_box(tensor, s_to, "copies to", site);
  if (!barrier.shown_to_copies) {
    Finding finding = begin_finding(FindingKind::barrier, site);
    finding.parts.push_back(
        {fmt::format("starts a copy that arrives at the mbarrier at byte {}", offset(s_barrier)),
         {}});
    finding.parts.push_back(
        {", with no fence_barrier_init after its init", grid_.image.line(barrier.site)});
    give_up(std::move(finding));
  }
  if (checks_) {
    if (barrier.copies == 0) barrier.copies = next_barrier_agent(site);
    global_box(false, tensor, at, site);
    Shadow::Conflict conflict;
    const Epoch landing(barrier.copies, static_cast<std::uint32_t>(barrier.phases) + 1);
    if (!shadow_.write(offset(s_to), tensor.box_bytes(), me().knowledge, landing,
                       grid_.image.id(site), conflict))
      fail_conflict(fmt::format("copies {} bytes to shared memory, of which byte {}",
                                tensor.box_bytes(), conflict.offset),
                    conflict, site);
    sites_.add_bulk(AccessKind::shared_copy, grid_.image.id(site), tensor.box_bytes());
  }
  std::memset(s_to, 0xFF, tensor.box_bytes());  // NaN, until it lands
  tensor_loads_.push_back({tensor, at, offset(s_to), offset(s_barrier)});
  require_expected(offset(s_barrier), barrier, site);
  if (chance(3)) land_tensor_load(tensor_loads_.size() - 1);
}

/// Every mbarrier that copies arrive at has an agent, whose times are its phases.
Agent Block::next_barrier_agent(host::Site site) {
  if (barrier_agents_ == most_barrier_agents) {
    Finding finding = begin_finding(FindingKind::barrier, site);
    finding.parts.push_back({fmt::format(
        "the emulator follows up to {} mbarriers that copies arrive at", most_barrier_agents)});
    give_up(std::move(finding));
  }
  return static_cast<Agent>(first_barrier_agent() + barrier_agents_++);
}

void Block::land_tensor_load(std::size_t index) {
  const TensorLoad load = tensor_loads_[index];
  tensor_loads_.erase(tensor_loads_.begin() + static_cast<std::ptrdiff_t>(index));
  load_box(load.tensor, load.at, shared, load.s_to);
  Mbarrier& barrier = mbarriers_.at(load.barrier);
  barrier.transactions -= static_cast<long long>(load.tensor.box_bytes());
  complete_phase_when_due(barrier);
}

/// When all arrivals of a phase have come, its bytes are those that are on their way, or more will
/// be: fewer, and it completes before they have landed.
void Block::require_expected(std::size_t place, const Mbarrier& barrier, host::Site site) {
  if (barrier.pending > 0) return;
  long long coming = 0;
  for (const TensorLoad& load : tensor_loads_)
    if (load.barrier == place) coming += static_cast<long long>(load.tensor.box_bytes());
  if (barrier.transactions >= coming) return;
  Finding finding = begin_finding(FindingKind::barrier, site);
  finding.parts.push_back(
      {fmt::format("phase {} of the mbarrier at byte {} expects {} bytes fewer than copies bring",
                   barrier.phases, place, coming - barrier.transactions)});
  give_up(std::move(finding));
}

void Block::store_tensor(const void* map, const unsigned char* s_from, host::Coordinates at,
                         host::Site site) {
  count(host::Instruction::tensor_store);
  const EncodedTensor tensor = decoded(map, site);
  require_box(tensor, s_from, "stores from", site);
  Thread& mine = me();
  if (checks_) {
    global_box(true, tensor, at, site);
    async_read(offset(s_from), tensor.box_bytes(), mine.knowledge.copy_epoch(), site);
    sites_.add_bulk(AccessKind::shared_load, grid_.image.id(site), tensor.box_bytes());
  }
  mine.stores.push_back({tensor, at, offset(s_from)});
  mine.stored_at = site;
  if (chance(3)) land_stores(mine, mine.stores.size());
}

void Block::land_stores(Thread& owner, std::size_t end) {
  for (; owner.stores_landed < end; ++owner.stores_landed) {
    const TensorStore& store = owner.stores[owner.stores_landed];
    store_box(store.tensor, store.at, shared, store.s_from);
  }
}

void Block::store_tensor_commit(host::Site /*site*/) {
  count(host::Instruction::tensor_store_commit);
  Thread& mine = me();
  mine.store_groups.push_back({mine.stores.size(), mine.knowledge.copies_now++});
}

void Block::store_tensor_wait(int pending, host::Site /*site*/) {
  count(host::Instruction::tensor_store_wait);
  Thread& mine = me();
  if (mine.store_groups.size() <= static_cast<std::size_t>(pending)) return;
  const auto done = mine.store_groups.end() - pending;
  land_stores(mine, done[-1].end);
  mine.knowledge.copies_seen = done[-1].time;
  mine.stores_seen = done[-1].end;
  mine.store_groups.erase(mine.store_groups.begin(), done);
}

/// All that the thread wrote, or knows that others wrote, is visible to asynchronous reads.
void Block::fence_async_proxy(host::Site /*site*/) {
  count(host::Instruction::fence_async);
  if (!checks_) return;
  Knowledge& knowledge = me().knowledge;
  for (std::size_t writer = 0; writer < fenced_.size(); ++writer)
    fenced_[writer] = std::max(fenced_[writer], knowledge.view->times[writer]);
  fenced_[knowledge.self] = knowledge.now++;
}

/// A read of shared memory by a copy or a matrix product that starts now, and goes on until the
/// epoch is waited for.
void Block::async_read(std::size_t first, std::size_t bytes, Epoch epoch, host::Site site) {
  Shadow::Conflict conflict;
  const Knowledge& knowledge = me().knowledge;
  if (!shadow_.read(first, bytes, knowledge, epoch, grid_.image.id(site), conflict))
    fail_conflict(
        fmt::format("reads {} bytes of shared memory, of which byte {}", bytes, conflict.offset),
        conflict, site);
  const auto unfenced = [&](Epoch written) {
    return written.agent() < fenced_.size() && written.time() > fenced_[written.agent()];
  };
  const auto written = shadow_.find_write(first, bytes, unfenced);
  if (!written) return;
  Finding finding = begin_finding(FindingKind::race, site);
  finding.parts.push_back({fmt::format("reads byte {} of shared memory, which thread {} wrote",
                                       written->offset, written->other.epoch.agent()),
                           grid_.image.line(written->other.site)});
  finding.parts.push_back({", and no fence_async_proxy lies between"});
  give_up(std::move(finding));
}

}  // namespace flashcore::emulate
