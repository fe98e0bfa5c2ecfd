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
  start_load(map, s_to, s_barrier, 1U << rank, at, site);
}

void Block::load_tensor_multicast(const void* map, unsigned char* s_to, void* s_barrier,
                                  unsigned block_mask, host::Coordinates at, host::Site site) {
  count(host::Instruction::tensor_load);
  if (block_mask == 0 || block_mask >> cluster_.size() != 0) {
    Finding finding = begin_finding(FindingKind::out_of_bounds, site);
    finding.parts.push_back(
        {fmt::format("copies to blocks {:#x} of a cluster of {}", block_mask, cluster_.size())});
    give_up(std::move(finding));
  }
  start_load(map, s_to, s_barrier, block_mask, at, site);
}

void Block::start_load(const void* map, const void* s_to, const void* s_barrier,
                       unsigned block_mask, host::Coordinates at, host::Site site) {
  const EncodedTensor tensor = decoded(map, site);
  const std::size_t place = offset(s_barrier);
  const auto for_each_target = [&](auto&& visit_target) {
    for (int target = 0; target < cluster_.size(); ++target)
      if ((block_mask >> target & 1U) != 0) visit_target(cluster_.block(target));
  };
  for_each_target([&](Block& to) {
    constexpr const char* action = "starts a copy that arrives at";
    require_alive(to, "copies to", site);
    const Mbarrier& barrier = initialised(to, place, action, site);
    require_box(tensor, s_to, "copies to", site);
    require_fenced_init(to, place, barrier, site);
  });
  if (checks_) global_box(false, tensor, at, site);
  for_each_target([&](Block& to) {
    Mbarrier& barrier = to.mbarriers_.at(place);
    const Epoch landing = landing_of(to, barrier, barrier.copies, site);
    deliver(to, {TensorPart{tensor, at}, offset(s_to), tensor.box_bytes(), place}, landing, site);
    if (checks_) sites_.add_bulk(AccessKind::shared_copy, grid_.image.id(site), tensor.box_bytes());
  });
}

/// The epoch of what arrives in the phase that is under way. Every mbarrier has an agent for each
/// kind of thing that arrives there, whose times are its phases.
Epoch Block::landing_of(Block& of, const Mbarrier& barrier, Agent& agent, host::Site site) {
  if (!checks_) return {};
  if (agent == 0 && of.barrier_agents_ == Agents::most_barriers) {
    Finding finding = begin_finding(FindingKind::barrier, site);
    finding.parts.push_back({fmt::format(
        "the emulator follows up to {} mbarriers that copies arrive at", Agents::most_barriers)});
    give_up(std::move(finding));
  }
  if (agent == 0) agent = agents_.barrier(of.rank, of.barrier_agents_++);
  return {agent, static_cast<std::uint32_t>(barrier.phases) + 1};
}

/// Starts what will be there when the phase of its mbarrier completes.
void Block::deliver(Block& to, const Delivery& delivery, Epoch landing, host::Site site) {
  Shadow::Conflict conflict;
  if (checks_ && !to.shadow_.write(delivery.s_to, delivery.bytes, me().knowledge, landing,
                                   grid_.image.id(site), conflict))
    fail_conflict(fmt::format("copies {} bytes to {}, of which byte {}", delivery.bytes,
                              describe_shared(to), conflict.offset),
                  conflict, site);
  if (&to != this) visit(to, landing, site);
  std::memset(to.shared + delivery.s_to, 0xFF, delivery.bytes);  // NaN, until it lands
  to.deliveries_.push_back(delivery);
  require_expected(to, delivery.barrier, to.mbarriers_.at(delivery.barrier), site);
  if (chance(3)) to.land_delivery(to.deliveries_.size() - 1);
}

void Block::land_delivery(std::size_t index) {
  const Delivery delivery = deliveries_[index];
  deliveries_.erase(deliveries_.begin() + static_cast<std::ptrdiff_t>(index));
  if (const auto* box = std::get_if<TensorPart>(&delivery.cargo))
    load_box(box->tensor, box->at, shared, delivery.s_to);
  else if (const auto* words = std::get_if<host::Words>(&delivery.cargo))
    std::memcpy(shared + delivery.s_to, words->values, delivery.bytes);
  else
    std::memcpy(shared + delivery.s_to, std::get<const unsigned char*>(delivery.cargo),
                delivery.bytes);
  Mbarrier& barrier = mbarriers_.at(delivery.barrier);
  barrier.transactions -= static_cast<long long>(delivery.bytes);
  complete_phase_when_due(barrier);
}

/// When all arrivals of a phase have come, its bytes are those that are on their way, or more will
/// be: fewer, and it completes before they have landed.
void Block::require_expected(Block& of, std::size_t place, const Mbarrier& barrier,
                             host::Site site) {
  if (barrier.pending > 0) return;
  long long coming = 0;
  for (const Delivery& delivery : of.deliveries_)
    if (delivery.barrier == place) coming += static_cast<long long>(delivery.bytes);
  if (barrier.transactions >= coming) return;
  Finding finding = begin_finding(FindingKind::barrier, site);
  finding.parts.push_back(
      {fmt::format("phase {} of {} expects {} bytes fewer than copies bring", barrier.phases,
                   describe_mbarrier(of, place), coming - barrier.transactions)});
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
    return agents_.is_thread(written.agent()) && written.time() > fenced_[written.agent()];
  };
  const auto written = shadow_.find_write(first, bytes, unfenced);
  if (!written) return;
  Finding finding = begin_finding(FindingKind::race, site);
  finding.parts.push_back(
      {fmt::format("reads byte {} of shared memory, which {} wrote", written->offset,
                   describe_thread(written->other.epoch.agent())),
       grid_.image.line(written->other.site)});
  finding.parts.push_back({", and no fence_async_proxy lies between"});
  give_up(std::move(finding));
}

}  // namespace flashcore::emulate
