// What a block has to do with the others of its cluster: their barrier, and their shared memory.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "emulate/block.h"

namespace flashcore::emulate {

void Block::cluster_arrive(bool shows, host::Site site) {
  together(host::Instruction::cluster_arrive, site, nullptr, [&](const auto&) {
    ClusterBarrier& barrier = cluster_.barrier;
    const auto first = static_cast<std::size_t>(thread / 32 * 32);
    for (std::size_t lane = 0; lane < 32; ++lane) {
      Thread& each = threads_[first + lane];
      if (each.at_cluster_barrier)
        fail_cluster_barrier(
            "arrives at the cluster's barrier, and has not waited since it last did", site);
      each.at_cluster_barrier = true;
      each.cluster_phase = barrier.phases;
      if (checks_ && shows) barrier.arriving.add(each.knowledge);
      if (checks_ && !shows) barrier.arriving.add(agents_.announcements(rank), each.announced);
    }
    barrier.arrived += 32;
    cluster_.complete_barrier_when_due();
  });
}

void Block::cluster_wait(host::Site site) {
  if (!me().at_cluster_barrier)
    fail_cluster_barrier("waits for the cluster's barrier, and has not arrived at it", site);
  together(host::Instruction::cluster_wait, site, nullptr, [](const auto&) {});
  ClusterBarrier& barrier = cluster_.barrier;
  if (me().cluster_phase == barrier.phases) {
    barrier.waiting.push_back({this, thread});
    wait(host::Instruction::cluster_wait, site, 1);
  }
  me().at_cluster_barrier = false;
  if (checks_) cluster_.views.teach(me().knowledge, barrier.completed);
}

/// A thread that leaves is not waited for.
void Block::leave_cluster_barrier() {
  if (checks_ && cluster_.size() > 1) leaving_.add(me().knowledge);
  if (me().at_cluster_barrier && me().cluster_phase == cluster_.barrier.phases)
    --cluster_.barrier.arrived;
}

void Block::fail_cluster_barrier(const char* what, host::Site site) {
  Finding finding = begin_finding(FindingKind::barrier, site);
  finding.parts.push_back({what});
  give_up(std::move(finding));
}

/// The peer is known to have started, and has not ended.
void Block::require_alive(const Block& peer, const char* action, host::Site site) {
  const bool started = !checks_ || me().knowledge.ordered({agents_.announcements(peer.rank), 1});
  if (started && peer.threads_left_ > 0) return;
  Finding finding = begin_finding(FindingKind::lifetime, site);
  finding.parts.push_back(
      {fmt::format("{} {}, {}", action, describe_shared(peer),
                   started ? "which has left the kernel"
                           : "and no barrier of the cluster says that it has started")});
  give_up(std::move(finding));
}

/// The block whose shared memory the place belongs to, when it may be touched.
Block& Block::reach(host::PeerAddress place, std::size_t bytes, std::size_t alignment,
                    const char* action, host::Site site) {
  const auto fail = [&](FindingKind kind, std::string text) {
    Finding finding = begin_finding(kind, site);
    finding.parts.push_back({std::move(text)});
    give_up(std::move(finding));
  };
  if (place.rank < 0 || place.rank >= cluster_.size())
    fail(FindingKind::out_of_bounds, fmt::format("{} shared memory of rank {} in a cluster of {}",
                                                 action, place.rank, cluster_.size()));
  Block& peer = cluster_.block(place.rank);
  require_alive(peer, action, site);
  if (place.offset > shared_bytes_ || bytes > shared_bytes_ - place.offset)
    fail(FindingKind::out_of_bounds,
         fmt::format("{} {} bytes at byte {} of {}, which has {}", action, bytes,
                     static_cast<int>(place.offset), describe_shared(peer), shared_bytes_));
  if (place.offset % alignment != 0)
    fail(FindingKind::misaligned,
         fmt::format("{} {} bytes at byte {} of {}, which must be aligned to {}", action, bytes,
                     place.offset, describe_shared(peer), alignment));
  return peer;
}

/// Takes note of what must be over before the peer leaves the kernel.
void Block::visit(Block& peer, Epoch epoch, host::Site site) {
  if (checks_ && cluster_.size() > 1) peer.visits_[epoch.agent()] = {epoch, grid_.image.id(site)};
}

/// When the last thread leaves: one of them knows that every visit is over.
void Block::require_no_visitors() {
  const auto staying = std::ranges::find_if(
      visits_, [&](const auto& visit) { return !leaving_.holds(visit.second.epoch); });
  if (staying == visits_.end()) return;
  const Agent agent = staying->first;
  const bool is_thread = agents_.is_thread(agent);
  Finding finding = begin_finding(FindingKind::lifetime, {});
  finding.parts.push_back(
      {"is the last of its block to leave the kernel, whose shared memory " +
           (is_thread ? describe_thread(agent) + " accesses" : "a copy that was started"),
       grid_.image.line(staying->second.site)});
  finding.parts.push_back({is_thread ? ", and no barrier lies between"
                                     : " still uses: no thread of the block has waited for it"});
  give_up(std::move(finding));
}

host::Words Block::load_peer(host::PeerAddress from, std::size_t bytes, host::Site site) {
  count(host::Instruction::peer_load);
  Block& peer = reach(from, bytes, bytes, "reads", site);
  if (checks_) shared_load(AccessKind::peer_load, peer, from.offset, bytes, site);
  visit(peer, me().knowledge.epoch(), site);
  host::Words values{};
  std::memcpy(values.values, peer.shared + from.offset, bytes);
  return values;
}

void Block::store_peer(host::PeerAddress to, host::Words values, std::size_t bytes,
                       host::Site site) {
  count(host::Instruction::peer_store);
  Block& peer = reach(to, bytes, bytes, "writes", site);
  const Epoch epoch = me().knowledge.epoch();
  if (checks_) shared_store(AccessKind::peer_store, peer, to.offset, bytes, epoch, site);
  visit(peer, epoch, site);
  std::memcpy(peer.shared + to.offset, values.values, bytes);
}

/// Starts bytes on their way to a peer whose mbarrier counts them: the epoch of their being there.
Epoch Block::send(host::PeerAddress to, const Cargo& cargo, std::size_t bytes,
                  host::PeerAddress barrier, host::Site site) {
  constexpr std::size_t barrier_bytes = 8;
  Block& peer = reach(to, bytes, std::min<std::size_t>(bytes, 16), "sends", site);
  if (&reach(barrier, barrier_bytes, barrier_bytes, "counts at", site) != &peer) {
    Finding finding = begin_finding(FindingKind::barrier, site);
    finding.parts.push_back(
        {fmt::format("sends bytes to rank {}, and counts them in rank {}", to.rank, barrier.rank)});
    give_up(std::move(finding));
  }
  Mbarrier& counting = initialised(peer, barrier.offset, "sends bytes that arrive at", site);
  if (!std::holds_alternative<host::Words>(cargo))
    require_fenced_init(peer, barrier.offset, counting, site);
  for_cluster(counting);
  const Epoch landing = landing_of(peer, counting, counting.sent, site);
  deliver(peer, {cargo, to.offset, bytes, barrier.offset}, landing, site);
  return landing;
}

void Block::store_peer_counted(host::PeerAddress to, host::Words values, std::size_t bytes,
                               host::PeerAddress barrier, host::Site site) {
  count(host::Instruction::peer_store_counted);
  send(to, values, bytes, barrier, site);
  if (checks_)
    note(AccessKind::peer_store, cluster_.block(to.rank).shared + to.offset, bytes, site);
}

void Block::copy_to_peer(host::PeerAddress to, const unsigned char* s_from, int bytes,
                         host::PeerAddress barrier, host::Site site) {
  constexpr int unit = 16;
  count(host::Instruction::peer_copy);
  if (bytes <= 0 || bytes % unit != 0) {
    Finding finding = begin_finding(FindingKind::misaligned, site);
    finding.parts.push_back(
        {fmt::format("copies {} bytes, which is not a multiple of {}", bytes, unit)});
    give_up(std::move(finding));
  }
  const auto size = static_cast<std::size_t>(bytes);
  require_inside(s_from, size, "copies from", site);
  require_aligned(s_from, unit, site);
  const Epoch landing = send(to, s_from, size, barrier, site);
  if (!checks_) return;
  async_read(offset(s_from), size, landing, site);
  if (to.rank != rank) visit(*this, landing, site);
  sites_.add_bulk(AccessKind::peer_copy, grid_.image.id(site), size);
}

void Block::mbarrier_arrive_peer(host::PeerAddress place, host::Site site) {
  count(host::Instruction::peer_arrive);
  Block& peer = reach(place, sizeof(std::uint64_t), sizeof(std::uint64_t), "arrives at", site);
  Mbarrier& barrier = initialised(peer, place.offset, "arrives at", site);
  visit(peer, me().knowledge.epoch(), site);
  (&peer == this ? barrier.arriving : for_cluster(barrier)).add(me().knowledge);
  arrive_at(peer, place.offset, barrier, site);
}

/// What only those learn who wait with the cluster's scope.
Join& Block::for_cluster(Mbarrier& barrier) {
  if (barrier.arriving_for_cluster.agents() == 0)
    barrier.arriving_for_cluster = Join(cluster_.views.agents());
  return barrier.arriving_for_cluster;
}

}  // namespace flashcore::emulate
