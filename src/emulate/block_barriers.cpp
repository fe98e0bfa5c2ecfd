// The barrier of a block, and mbarriers.
#include <fmt/format.h>

#include <utility>

#include "emulate/block.h"

namespace flashcore::emulate {

void Block::block_barrier(host::Site site) {
  cross_block_barrier(host::Instruction::block_barrier, false, site);
}

bool Block::block_any(bool answer, host::Site site) {
  return cross_block_barrier(host::Instruction::block_any, answer, site);
}

bool Block::cross_block_barrier(host::Instruction instruction, bool answer, host::Site site) {
  Warp& warp = my_warp();
  // A warp's lanes arrive together, at one instruction (.aligned); the block's at one kind of it.
  const bool apart =
      warp.arrived != 0 || (warp.at_block_barrier != 0 && warp.site.address() != site.address());
  if (apart || (barrier_.arrived != 0 && barrier_.instruction != instruction)) {
    Finding finding = begin_finding(FindingKind::divergence, site);
    finding.parts.push_back(
        {fmt::format("executes {} while others of its {} wait in {}", name(instruction),
                     apart ? "warp" : "block",
                     name(warp.arrived != 0 ? warp.instruction : barrier_.instruction)),
         grid_.image.line(apart ? warp.site : barrier_.site)});
    give_up(std::move(finding));
  }
  warp.site = site;
  warp.at_block_barrier |= lane_bit();
  barrier_.instruction = instruction;
  barrier_.site = site;
  barrier_.any = barrier_.any || answer;
  if (++barrier_.arrived < thread_count_)
    wait(instruction, site);
  else
    complete_block_barrier();
  return barrier_.result;
}

void Block::complete_block_barrier() {
  count(barrier_.instruction);
  if (checks_) {
    Join& all = cluster_.views.start();
    for (Thread& each : threads_) all.add(each.knowledge);
    const ViewRef view = cluster_.views.finish();
    for (Thread& each : threads_) each.knowledge.view = view;
  }
  for (Warp& warp : warps_) {
    if (checks_) warp.log.flush(sites_);
    warp.at_block_barrier = 0;
    warp.ready = warp.lanes;
  }
  ready_warps_ = warps_.size() == 32 ? ~0U : (1U << warps_.size()) - 1;
  const bool result = barrier_.any;
  barrier_ = {};
  barrier_.result = result;
}

void Block::mbarrier_init(void* s_barrier, int arrivals, host::Site site) {
  count(host::Instruction::mbarrier_init);
  store(s_barrier, 8, true, site);
  Mbarrier& barrier = mbarriers_[offset(s_barrier)];
  barrier = {.expected = arrivals,
             .pending = arrivals,
             .phases = 0,
             .init = me().knowledge.epoch(),
             .site = site,
             .arriving = Join(cluster_.views.agents()),
             .completed = {},
             .waiting = {},
             .transactions = 0,
             .copies = 0,
             .sent = 0,
             .shown = 0,
             .arriving_for_cluster = Join(),
             .completed_for_cluster = {}};
}

Block::Mbarrier& Block::initialised(Block& of, std::size_t place, const char* action,
                                    host::Site site) {
  const auto found = of.mbarriers_.find(place);
  if (found == of.mbarriers_.end()) {
    Finding finding = begin_finding(FindingKind::barrier, site);
    finding.parts.push_back(
        {fmt::format("{} {}, which nobody has initialised", action, describe_mbarrier(of, place))});
    give_up(std::move(finding));
  }
  Mbarrier& barrier = found->second;
  const Knowledge& knowledge = me().knowledge;
  const bool announced =
      barrier.shown != 0 && knowledge.ordered({agents_.announcements(of.rank), barrier.shown});
  if (checks_ && !announced && !knowledge.ordered(barrier.init)) {
    Finding finding = begin_finding(FindingKind::race, site);
    finding.parts.push_back(
        {fmt::format("{} {}, which {} initialised", action, describe_mbarrier(of, place),
                     describe_thread(barrier.init.agent())),
         grid_.image.line(barrier.site)});
    finding.parts.push_back({", and no barrier lies between"});
    give_up(std::move(finding));
  }
  return barrier;
}

void Block::require_fenced_init(const Block& of, std::size_t place, const Mbarrier& barrier,
                                host::Site site) {
  if (barrier.shown != 0) return;
  Finding finding = begin_finding(FindingKind::barrier, site);
  finding.parts.push_back({"starts a copy that arrives at " + describe_mbarrier(of, place), {}});
  finding.parts.push_back(
      {", with no fence_barrier_init after its init", grid_.image.line(barrier.site)});
  give_up(std::move(finding));
}

void Block::mbarrier_arrive(void* s_barrier, host::Site site) {
  count(host::Instruction::mbarrier_arrive);
  const std::size_t place = offset(s_barrier);
  Mbarrier& barrier = initialised(*this, place, "arrives at", site);
  barrier.arriving.add(me().knowledge);
  arrive_at(*this, place, barrier, site);
}

void Block::mbarrier_arrive_and_expect(void* s_barrier, int bytes, host::Site site) {
  count(host::Instruction::mbarrier_arrive);
  const std::size_t place = offset(s_barrier);
  Mbarrier& barrier = initialised(*this, place, "arrives at", site);
  barrier.arriving.add(me().knowledge);
  barrier.transactions += bytes;
  arrive_at(*this, place, barrier, site);
}

void Block::fence_mbarrier_init(host::Site /*site*/) {
  me().announced = ++announced_;
  for (auto& [place, barrier] : mbarriers_)
    if (barrier.init.agent() == me().knowledge.self && barrier.shown == 0)
      barrier.shown = announced_;
}

void Block::arrive_at(Block& of, std::size_t place, Mbarrier& barrier, host::Site site) {
  if (barrier.pending == 0) {
    Finding finding = begin_finding(FindingKind::barrier, site);
    finding.parts.push_back({fmt::format(
        "arrives at {}, all of whose {} arrivals have come in phase {}: it still expects {} bytes",
        describe_mbarrier(of, place), barrier.expected, barrier.phases, barrier.transactions)});
    give_up(std::move(finding));
  }
  --barrier.pending;
  require_expected(of, place, barrier, site);
  of.complete_phase_when_due(barrier);
}

void Block::complete_phase_when_due(Mbarrier& barrier) {
  if (barrier.pending > 0 || barrier.transactions != 0) return;
  barrier.pending = barrier.expected;
  ++barrier.phases;
  const auto phase = static_cast<std::uint32_t>(barrier.phases);
  Views& views = cluster_.views;
  if (barrier.copies != 0) barrier.arriving.add(barrier.copies, phase);
  barrier.completed = barrier.completed_for_cluster = views.of(barrier.arriving);
  if (Join& more = barrier.arriving_for_cluster; more.agents() != 0) {
    if (barrier.sent != 0) more.add(barrier.sent, phase);
    more.add(*barrier.completed);
    barrier.completed_for_cluster = views.of(more);
  }
  for (const int waiting : std::exchange(barrier.waiting, {})) wake(waiting);
}

void Block::mbarrier_wait(const void* s_barrier, int parity, host::Scope scope, host::Site site) {
  count(host::Instruction::mbarrier_wait);
  Mbarrier& barrier = initialised(*this, offset(s_barrier), "waits for", site);
  if (!barrier.completed_phase_of(parity)) {
    barrier.waiting.push_back(thread);
    wait(host::Instruction::mbarrier_wait, site, offset(s_barrier));
  }
  if (barrier.completed == nullptr) return;
  cluster_.views.teach(me().knowledge, scope == host::Scope::cluster ? barrier.completed_for_cluster
                                                                     : barrier.completed);
}

bool Block::mbarrier_test(const void* s_barrier, int parity, host::Site site) {
  count(host::Instruction::mbarrier_test);
  const Mbarrier& barrier = initialised(*this, offset(s_barrier), "asks for", site);
  if (!barrier.completed_phase_of(parity)) return false;
  if (barrier.completed != nullptr) cluster_.views.teach(me().knowledge, barrier.completed);
  return true;
}

/// When all threads have left: a phase that began and cannot end.
void Block::require_whole_phases() {
  for (const auto& [place, barrier] : mbarriers_) {
    if (barrier.pending == barrier.expected && barrier.transactions == 0) continue;
    Finding finding = begin_finding(FindingKind::barrier, barrier.site);
    finding.thread = -1;
    finding.parts.push_back(
        {fmt::format("the mbarrier at byte {} is left with {} of {} arrivals in phase {}{}", place,
                     barrier.expected - barrier.pending, barrier.expected, barrier.phases,
                     describe_transactions(barrier))});
    give_up(std::move(finding));
  }
  for (std::size_t id = 0; id < named_barriers_.size(); ++id) {
    const NamedBarrier& barrier = named_barriers_[id];
    if (barrier.arrived == 0) continue;
    Finding finding = begin_finding(FindingKind::barrier, barrier.site);
    finding.thread = -1;
    finding.parts.push_back({fmt::format("named barrier {} is left with {} of {} threads", id,
                                         barrier.arrived, barrier.expected)});
    give_up(std::move(finding));
  }
  for (std::size_t warp = 0; warp < warps_.size(); ++warp) {
    const auto& products = group_products_[warp / 4];
    if (warps_[warp].products_started == products.size()) continue;
    Finding finding =
        begin_finding(FindingKind::divergence, products[warps_[warp].products_started].site);
    finding.thread = -1;
    finding.parts.push_back(
        {fmt::format("a matrix product of a warpgroup that its warp {} left out", warp)});
    give_up(std::move(finding));
  }
}

}  // namespace flashcore::emulate
