#include "emulate/block.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace flashcore::emulate {

namespace {

constexpr std::size_t shared_alignment = 1024;
/// What shared memory holds before anything is written: NaN in every floating-point type.
constexpr int poison = 0xFF;

/// The first bit of a mask that is set, from a place on and around.
int next_in_circle(std::uint32_t mask, int from) {
  return (from + std::countr_zero(std::rotr(mask, from))) % 32;
}

}  // namespace

Block::Block(Cluster& cluster, int rank_in_cluster)
    : cluster_(cluster),
      grid_(cluster.grid()),
      agents_(cluster.agents),
      checks_(grid_.options.checks),
      thread_count_(static_cast<int>(grid_.shape.block)),
      shared_bytes_(grid_.shape.shared_bytes),
      shared_storage_(shared_bytes_ + shared_alignment),
      threads_(static_cast<std::size_t>(thread_count_)),
      warps_((threads_.size() + 31) / 32),
      leaving_(cluster.views.agents()),
      group_products_((warps_.size() + 3) / 4),
      fenced_(cluster.views.agents()),
      shadow_(shared_bytes_) {
  rank = rank_in_cluster;
  cluster_blocks = cluster.size();
  const auto begin = reinterpret_cast<std::uintptr_t>(shared_storage_.data());
  shared = shared_storage_.data() + (shared_alignment - begin % shared_alignment);
  stacks = cluster.fibers().stacks();
  stack_bytes = cluster.fibers().stack_bytes();
}

void Block::reset(long long index) {
  block = index;
  thread = 0;
  std::memset(shared, poison, shared_bytes_);
  shadow_.clear();
  reset_threads();
  barrier_ = {};
  mbarriers_.clear();
  copy_arrivals_.clear();
  deliveries_.clear();
  barrier_agents_ = 0;
  announced_ = 1;
  visits_.clear();
  leaving_.clear();
  named_barriers_ = {};
  for (auto& products : group_products_) products.clear();
  std::fill(fenced_.begin(), fenced_.end(), 0U);
  products_in_flight = 0;
}

void Block::reset_threads() {
  Join& begin = cluster_.views.start();
  begin.add(agents_.announcements(rank), announced_);
  const ViewRef itself = cluster_.views.finish();
  for (int t = 0; t < thread_count_; ++t) {
    Thread& each = threads_[static_cast<std::size_t>(t)];
    each = {};
    each.knowledge.self = agents_.thread(rank, t);
    each.knowledge.copies = agents_.copies(rank, t);
    each.knowledge.products = agents_.products(rank, t / 32);
    each.knowledge.view = itself;
  }
  for (Warp& warp : warps_) {
    WarpLog log = std::move(warp.log);  // keeps its memory
    log.clear();
    warp = {};
    warp.log = std::move(log);
    warp.lanes = ~0U;
  }
  if (thread_count_ % 32 != 0) warps_.back().lanes = (1U << thread_count_ % 32) - 1;
  for (Warp& warp : warps_) warp.ready = warp.lanes;
  ready_warps_ = warps_.size() == 32 ? ~0U : (1U << warps_.size()) - 1;
  threads_left_ = thread_count_;
}

void Block::flush_logs() {
  if (!checks_) return;
  for (Warp& warp : warps_) warp.log.flush(sites_);
}

void Block::run_thread() {
  grid_.module.run_thread(*this, grid_.params);
  thread_ends();
}

void Block::thread_ends() {
  Warp& warp = my_warp();
  me().gone = true;
  warp.ready &= ~lane_bit();
  if (warp.ready == 0) ready_warps_ &= ~(1U << thread / 32);
  if (warp.arrived != 0) {
    Finding finding = begin_finding(FindingKind::divergence, {});
    finding.parts.push_back(
        {fmt::format("leaves the kernel, and lanes of its warp wait for it in {}",
                     name(warp.instruction)),
         grid_.image.line(warp.site)});
    give_up(std::move(finding));
  }
  require_nothing_in_flight();
  leave_cluster_barrier();
  if (--threads_left_ > 0) return;
  while (under_way() > 0) land_one(cluster_.choice(under_way()));
  require_whole_phases();
  require_no_visitors();
}

/// When a thread leaves: what would write its registers, or read shared memory, after that.
void Block::require_nothing_in_flight() {
  const bool stores = me().stores_seen < me().stores.size();
  if (!stores && my_warp().sums.empty()) return;
  Finding finding = begin_finding(FindingKind::pending_copy, {});
  finding.parts.push_back(
      {fmt::format("leaves the kernel, and has not waited for the {} that it started",
                   stores ? "store" : "matrix product"),
       grid_.image.line(stores ? me().stored_at : my_warp().sums.front().site)});
  give_up(std::move(finding));
}

void Block::wait(host::Instruction instruction, host::Site site, std::size_t waits_on) {
  Thread& waiting = me();
  waiting.waits_for = instruction;
  waiting.waits_at = site;
  waiting.waits_on = waits_on;
  Warp& warp = my_warp();
  warp.ready &= ~lane_bit();
  if (warp.ready == 0) ready_warps_ &= ~(1U << thread / 32);
  cluster_.run_others();
}

void Block::wake(int waiting) {
  const int warp = waiting / 32;
  warps_[static_cast<std::size_t>(warp)].ready |= 1U << waiting % 32;
  ready_warps_ |= 1U << warp;
}

int Block::choose_thread() {
  // The same warp as long as it can, and its next lane; by the seed any.
  const int warp = chance(4) ? static_cast<int>(cluster_.random()() % 32) : thread / 32;
  const int lane = chance(4) ? static_cast<int>(cluster_.random()() % 32) : thread % 32;
  const int next_warp = next_in_circle(ready_warps_, warp);
  thread = next_warp * 32 + next_in_circle(warps_[static_cast<std::size_t>(next_warp)].ready, lane);
  return thread;
}

Finding Block::begin_finding(FindingKind kind, host::Site site) const {
  Finding finding{.kind = kind,
                  .label = grid_.options.label,
                  .block = block,
                  .thread = thread,
                  .where = {},
                  .parts = {}};
  if (site.address() != 0) finding.where = grid_.image.line(site);
  return finding;
}

/// "threads 0-31, 64".
std::string Block::describe_threads(const std::vector<int>& threads) const {
  std::string text = threads.size() == 1 ? "thread" : "threads";
  for (std::size_t i = 0; i < threads.size();) {
    std::size_t end = i + 1;
    while (end < threads.size() && threads[end] == threads[end - 1] + 1) ++end;
    text += i == 0 ? " " : ", ";
    text += end - i == 1 ? fmt::format("{}", threads[i])
                         : fmt::format("{}-{}", threads[i], threads[end - 1]);
    i = end;
  }
  return text;
}

std::string Block::describe_transactions(const Mbarrier& barrier) {
  if (barrier.transactions == 0) return "";
  if (barrier.transactions > 0)
    return fmt::format(", which expects {} more bytes", barrier.transactions);
  return fmt::format(", to which {} bytes came that it does not expect", -barrier.transactions);
}

std::string Block::describe_wait(const Thread& waiting) const {
  switch (waiting.waits_for) {
    case host::Instruction::block_barrier:
    case host::Instruction::block_any:
      return fmt::format("wait in {}, where {} of {} threads have arrived", name(waiting.waits_for),
                         barrier_.arrived, thread_count_);
    case host::Instruction::mbarrier_wait: {
      const Mbarrier& barrier = mbarriers_.at(waiting.waits_on);
      return fmt::format(
                 "wait for the mbarrier at byte {}, {} of whose {} arrivals have come in phase {}",
                 waiting.waits_on, barrier.expected - barrier.pending, barrier.expected,
                 barrier.phases) +
             describe_transactions(barrier);
    }
    case host::Instruction::named_barrier: {
      if (waiting.waits_on == 0) break;
      const NamedBarrier& barrier = named_barriers_[waiting.waits_on];
      return fmt::format("wait at named barrier {}, where {} of {} threads have arrived",
                         waiting.waits_on, barrier.arrived, barrier.expected);
    }
    case host::Instruction::cluster_wait:
      if (waiting.waits_on != 0) return cluster_.describe_barrier();
      break;
    default: break;
  }
  return fmt::format("wait for their warp in {}", name(waiting.waits_for));
}

std::vector<Finding::Part> Block::describe_waits() const {
  std::map<std::pair<std::string, std::uintptr_t>, std::vector<int>> groups;
  std::vector<int> gone;
  for (int t = 0; t < thread_count_; ++t) {
    const Thread& waiting = threads_[static_cast<std::size_t>(t)];
    if (waiting.gone)
      gone.push_back(t);
    else
      groups[{describe_wait(waiting), waiting.waits_at.address()}].push_back(t);
  }
  const std::string of_block =
      cluster_.size() == 1 ? std::string{} : fmt::format(" of block {}", block);
  std::vector<Finding::Part> parts;
  for (const auto& [key, waiting] : groups) {
    const host::Site site = threads_[static_cast<std::size_t>(waiting.front())].waits_at;
    parts.push_back(
        {describe_threads(waiting) + of_block + ' ' + key.first, grid_.image.line(site)});
  }
  if (!gone.empty()) parts.push_back({describe_threads(gone) + of_block + " have left the kernel"});
  return parts;
}

std::string Block::describe_thread(Agent agent) const {
  const Agents::Owner owner = agents_.owner(agent);
  std::string text = fmt::format("thread {}", owner.number);
  if (owner.rank == rank) return text;
  return text + fmt::format(" of block {}", cluster_.block(owner.rank).block);
}

std::string Block::describe_shared(const Block& of) const {
  if (&of == this) return "shared memory";
  return fmt::format("block {}'s shared memory", of.block);
}

std::string Block::describe_mbarrier(const Block& of, std::size_t place) const {
  std::string text = fmt::format("the mbarrier at byte {}", static_cast<std::ptrdiff_t>(place));
  if (&of == this) return text;
  return text + fmt::format(" of block {}", of.block);
}

}  // namespace flashcore::emulate
