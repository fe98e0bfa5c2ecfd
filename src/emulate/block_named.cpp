// Barriers of some of a block's threads by number, and what a warp's lanes elect.
#include <fmt/format.h>

#include <bit>
#include <utility>

#include "emulate/block.h"

namespace flashcore::emulate {

namespace {

struct NamedArrival {
  int id;
  int threads;
};

}  // namespace

void Block::named_barrier(int id, int threads, bool waits, host::Site site) {
  const auto instruction =
      waits ? host::Instruction::named_barrier : host::Instruction::named_barrier_arrive;
  NamedArrival mine{id, threads};
  std::uint64_t phase = 0;
  together(instruction, site, &mine, [&](const auto& operands) {
    const auto lanes = std::bit_cast<std::array<NamedArrival*, 32>>(operands);
    for (const NamedArrival* lane : lanes)
      if (lane->id != id || lane->threads != threads)
        fail_named_barrier("whose number or threads differ within the warp", id, site);
    arrive_at_named(id, threads, site);
  });
  if (!waits) return;
  NamedBarrier& barrier = named_barriers_[static_cast<std::size_t>(id)];
  phase = my_warp().named_phase;
  if (barrier.phases == phase) {
    barrier.waiting.push_back(thread);
    wait(instruction, site, static_cast<std::size_t>(id));
  }
  if (checks_) cluster_.views.teach(me().knowledge, barrier.completed);
}

/// A warp arrives.
void Block::arrive_at_named(int id, int threads, host::Site site) {
  if (id < 1 || id >= static_cast<int>(named_barriers_.size()))
    fail_named_barrier("of which there are 1 to 15, and 0 is block_barrier's", id, site);
  if (threads % 32 != 0 || threads < 32 || threads > thread_count_)
    fail_named_barrier(
        fmt::format("for {} threads, which is not a multiple of 32 in the block's {}", threads,
                    thread_count_),
        id, site);
  NamedBarrier& barrier = named_barriers_[static_cast<std::size_t>(id)];
  if (barrier.arrived != 0 && barrier.expected != threads)
    fail_named_barrier(
        fmt::format("for {} threads, where others have come for {}", threads, barrier.expected), id,
        site);
  barrier.expected = threads;
  barrier.site = site;
  my_warp().named_phase = barrier.phases;
  const auto first = static_cast<std::size_t>(thread / 32 * 32);
  if (barrier.arriving.agents() == 0) barrier.arriving = Join(cluster_.views.agents());
  if (checks_)
    for (std::size_t lane = 0; lane < 32; ++lane)
      barrier.arriving.add(threads_[first + lane].knowledge);
  barrier.arrived += 32;
  if (barrier.arrived < threads) return;
  barrier.arrived = 0;
  ++barrier.phases;
  if (checks_) barrier.completed = cluster_.views.of(barrier.arriving);
  for (const int waiting : std::exchange(barrier.waiting, {})) wake(waiting);
}

void Block::fail_named_barrier(const std::string& what, int id, host::Site site) {
  Finding finding = begin_finding(FindingKind::barrier, site);
  finding.parts.push_back({fmt::format("arrives at named barrier {}, {}", id, what)});
  give_up(std::move(finding));
}

bool Block::elect_one(host::Site site) {
  // Any lane may be it, but always the same.
  const int elected =
      grid_.options.seed == 0 ? 0 : static_cast<int>(Random(grid_.options.seed)() % 32);
  together(host::Instruction::elect, site, nullptr, [](const auto&) {});
  return thread % 32 == elected;
}

}  // namespace flashcore::emulate
