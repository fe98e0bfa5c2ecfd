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

Block::Block(const Grid& grid)
    : grid_(grid),
      checks_(grid.options.checks),
      thread_count_(static_cast<int>(grid.shape.block)),
      shared_bytes_(grid.shape.shared_bytes),
      shared_storage_(shared_bytes_ + shared_alignment),
      fibers_(thread_count_, thread_body, this),
      threads_(static_cast<std::size_t>(thread_count_)),
      warps_((threads_.size() + 31) / 32),
      join_(first_barrier_agent() + most_barrier_agents),
      group_products_((warps_.size() + 3) / 4),
      fenced_(threads_.size()),
      shadow_(shared_bytes_) {
  const auto begin = reinterpret_cast<std::uintptr_t>(shared_storage_.data());
  shared = shared_storage_.data() + (shared_alignment - begin % shared_alignment);
  stacks = fibers_.stacks();
  stack_bytes = fibers_.stack_bytes();
}

void Block::reset(long long index) {
  block = index;
  thread = 0;
  random_ = Random(Random(grid_.options.seed)() + static_cast<std::uint64_t>(index));
  std::memset(shared, poison, shared_bytes_);
  shadow_.clear();
  global_shadow_.clear();
  view_serial_ = 1;
  learned_from_ = {};
  join_.clear();
  const ViewRef nothing = join_.view(view_serial_);
  for (int t = 0; t < thread_count_; ++t) {
    Thread& each = threads_[static_cast<std::size_t>(t)];
    each = {};
    each.knowledge.self = static_cast<Agent>(t);
    each.knowledge.copies = static_cast<Agent>(t + thread_count_);
    each.knowledge.products =
        static_cast<Agent>(first_products_agent()) + static_cast<Agent>(t / 32);
    each.knowledge.view = nothing;
    fibers_.restart(t);
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
  barrier_ = {};
  mbarriers_.clear();
  copy_arrivals_.clear();
  tensor_loads_.clear();
  barrier_agents_ = 0;
  named_barriers_ = {};
  for (auto& products : group_products_) products.clear();
  std::fill(fenced_.begin(), fenced_.end(), 0U);
  products_in_flight = 0;
  finding_.reset();
}

std::optional<Finding> Block::run(long long index) {
  reset(index);
  thread = next_thread();
  fibers_.switch_to(Fibers::outside, thread);
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
  if (checks_ && !finding_)
    for (Warp& warp : warps_) warp.log.flush(sites_);
  return std::exchange(finding_, std::nullopt);
}

void Block::thread_body(void* owner, int /*fiber*/) {
  auto& block = *static_cast<Block*>(owner);
  try {
    block.grid_.module.run_thread(block, block.grid_.params);
    block.thread_ends();
  } catch (...) {
    block.failure_ = std::current_exception();
  }
  block.leave();
}

void Block::leave() {
  fibers_.switch_to(thread, Fibers::outside);
  std::terminate();  // nothing switches back to a block that was left
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
  if (--threads_left_ == 0) {
    while (something_lands()) {
    }
    require_whole_phases();
    leave();
  }
  const int next = next_thread();
  const int last = std::exchange(thread, next);
  fibers_.switch_to(last, next);
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
  const int next = next_thread();
  if (next == thread) return;
  const int last = std::exchange(thread, next);
  fibers_.switch_to(last, next);
}

void Block::wake(int waiting) {
  const int warp = waiting / 32;
  warps_[static_cast<std::size_t>(warp)].ready |= 1U << waiting % 32;
  ready_warps_ |= 1U << warp;
}

int Block::next_thread() {
  if (chance(4)) something_lands();
  while (ready_warps_ == 0)
    if (!something_lands()) fail_deadlock();
  // The same warp as long as it can, and its next lane; by the seed any.
  const int warp = chance(4) ? static_cast<int>(random_() % 32) : thread / 32;
  const int lane = chance(4) ? static_cast<int>(random_() % 32) : thread % 32;
  const int next_warp = next_in_circle(ready_warps_, warp);
  return next_warp * 32 + next_in_circle(warps_[static_cast<std::size_t>(next_warp)].ready, lane);
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

void Block::give_up(Finding finding) {
  finding_ = std::move(finding);
  leave();
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
             (barrier.transactions == 0
                  ? std::string{}
                  : fmt::format(", which expects {} more bytes", barrier.transactions));
    }
    case host::Instruction::named_barrier: {
      if (waiting.waits_on == 0) break;
      const NamedBarrier& barrier = named_barriers_[waiting.waits_on];
      return fmt::format("wait at named barrier {}, where {} of {} threads have arrived",
                         waiting.waits_on, barrier.arrived, barrier.expected);
    }
    default: break;
  }
  return fmt::format("wait for their warp in {}", name(waiting.waits_for));
}

void Block::fail_deadlock() {
  std::map<std::pair<std::string, std::uintptr_t>, std::vector<int>> groups;
  std::vector<int> gone;
  for (int t = 0; t < thread_count_; ++t) {
    const Thread& waiting = threads_[static_cast<std::size_t>(t)];
    if (waiting.gone)
      gone.push_back(t);
    else
      groups[{describe_wait(waiting), waiting.waits_at.address()}].push_back(t);
  }
  Finding finding = begin_finding(FindingKind::deadlock, {});
  finding.thread = -1;
  std::string before = "deadlock: ";
  for (const auto& [key, waiting] : groups) {
    const host::Site site = threads_[static_cast<std::size_t>(waiting.front())].waits_at;
    finding.parts.push_back(
        {before + describe_threads(waiting) + ' ' + key.first, grid_.image.line(site)});
    before = "; ";
  }
  if (!gone.empty())
    finding.parts.push_back({before + describe_threads(gone) + " have left the kernel"});
  give_up(std::move(finding));
}

}  // namespace flashcore::emulate
