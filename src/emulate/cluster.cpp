#include "emulate/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "emulate/block.h"

namespace flashcore::emulate {

namespace {

int fibers_of(const cuda::LaunchShape& shape) {
  return static_cast<int>(shape.block * shape.cluster);
}

std::size_t agents_of(const cuda::LaunchShape& shape) {
  const std::size_t count = Agents(shape.block).of_block() * std::size_t{shape.cluster};
  if (count > Epoch::most_agents)
    core::fail(core::Status::unsupported,
               "emulator: clusters of {} blocks of {} threads, of which it cannot follow as many",
               shape.cluster, shape.block);
  return count;
}

}  // namespace

Cluster::Cluster(const Grid& grid)
    : agents(grid.shape.block),
      views(agents_of(grid.shape)),
      grid_(grid),
      fibers_(fibers_of(grid.shape), thread_body, this) {
  for (int rank = 0; rank < size(); ++rank) blocks_.push_back(std::make_unique<Block>(*this, rank));
}

Cluster::~Cluster() = default;

void Cluster::reset(long long first) {
  random_ = Random(Random(grid_.options.seed)() + static_cast<std::uint64_t>(first));
  views.clear();
  global_shadow.clear();
  barrier = {.arriving = Join(views.agents())};
  for (int rank = 0; rank < size(); ++rank) block(rank).reset(first + rank);
  threads_left_ = fibers_of(grid_.shape);
  for (int fiber = 0; fiber < threads_left_; ++fiber) fibers_.restart(fiber);
  running_ = 0;
  finding_.reset();
}

std::optional<Finding> Cluster::run(long long first) {
  reset(first);
  running_ = next_fiber();
  fibers_.switch_to(Fibers::outside, running_);
  if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
  if (!finding_)
    for (const auto& block : blocks_) block->flush_logs();
  return std::exchange(finding_, std::nullopt);
}

void Cluster::add_counts(Counts& counts, SiteTable& sites) const {
  for (const auto& block : blocks_) {
    for (std::size_t i = 0; i < counts.instructions.size(); ++i)
      counts.instructions[i] += block->counts[i];
    sites += block->sites();
  }
}

void Cluster::thread_body(void* owner, int fiber) {
  auto& cluster = *static_cast<Cluster*>(owner);
  try {
    cluster.block(fiber / static_cast<int>(cluster.grid_.shape.block)).run_thread();
    cluster.thread_left();
  } catch (...) {
    cluster.failure_ = std::current_exception();
  }
  cluster.leave();
}

void Cluster::leave() {
  fibers_.switch_to(running_, Fibers::outside);
  std::terminate();  // nothing switches back to a cluster that was left
}

void Cluster::thread_left() {
  if (--threads_left_ == 0) return;
  complete_barrier_when_due();
  run_others();
}

void Cluster::run_others() {
  const int next = next_fiber();
  if (next == running_) return;
  const int last = std::exchange(running_, next);
  fibers_.switch_to(last, next);
}

int Cluster::next_fiber() {
  const auto ready = [](const auto& each) { return each->ready(); };
  if (chance(4)) something_lands();
  while (std::ranges::none_of(blocks_, ready))
    if (!something_lands()) fail_deadlock();
  // The same block as long as it can; by the seed any.
  const int threads = static_cast<int>(grid_.shape.block);
  int rank = running_ / threads;
  if (size() > 1 && chance(4)) rank = static_cast<int>(random_() % blocks_.size());
  while (!block(rank).ready()) rank = (rank + 1) % size();
  return rank * threads + block(rank).choose_thread();
}

/// One of the things that are under way comes, by the seed; whether there was one.
bool Cluster::something_lands() {
  std::size_t under_way = 0;
  for (const auto& block : blocks_) under_way += block->under_way();
  if (under_way == 0) return false;
  std::size_t chosen = choice(under_way);
  for (const auto& block : blocks_) {
    if (chosen < block->under_way()) {
      block->land_one(chosen);
      break;
    }
    chosen -= block->under_way();
  }
  return true;
}

void Cluster::complete_barrier_when_due() {
  if (barrier.arrived == 0 || barrier.arrived < threads_left_) return;
  barrier.arrived = 0;
  ++barrier.phases;
  barrier.completed = views.of(barrier.arriving);
  for (const auto& [block, thread] : std::exchange(barrier.waiting, {})) block->wake(thread);
}

std::string Cluster::describe_barrier() const {
  return fmt::format(
      "wait for the cluster's barrier, where {} of the {} threads that are left have arrived",
      barrier.arrived, threads_left_);
}

void Cluster::give_up(Finding finding) {
  finding_ = std::move(finding);
  leave();
}

void Cluster::fail_deadlock() {
  Finding finding = block(0).begin_finding(FindingKind::deadlock, {});
  finding.thread = -1;
  for (const auto& block : blocks_)
    for (Finding::Part& part : block->describe_waits()) {
      part.text = (finding.parts.empty() ? "deadlock: " : "; ") + part.text;
      finding.parts.push_back(std::move(part));
    }
  give_up(std::move(finding));
}

}  // namespace flashcore::emulate
