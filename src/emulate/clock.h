// Happens-before by vector clocks, as in FastTrack (Flanagan and Freund 2009, "FastTrack: efficient
// and precise dynamic race detection"), with what barriers teach many threads kept once.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace flashcore::emulate {

/// Who accesses memory, and what else others may know the times of: see Agents.
using Agent = std::uint32_t;

/// The agents of a cluster, block by block: its threads, the asynchronous copies that each of them
/// starts, the matrix products of each warp, what the block announces (Block::announced_), and the
/// mbarriers that copies arrive at.
class Agents {
 public:
  enum class Kind { thread, copies, products, announcements, barrier };
  struct Owner {
    Kind kind;
    int rank;    // of the block
    int number;  // of the thread, warp or barrier
  };
  static constexpr int most_barriers = 64;  // of a block

  explicit Agents(unsigned threads) : threads_(threads) {}

  [[nodiscard]] constexpr Agent of_block() const { return barriers() + most_barriers; }
  [[nodiscard]] Agent thread(int rank, int thread) const { return at(rank, 0, thread); }
  [[nodiscard]] Agent copies(int rank, int thread) const { return at(rank, threads_, thread); }
  [[nodiscard]] Agent products(int rank, int warp) const { return at(rank, 2 * threads_, warp); }
  [[nodiscard]] Agent announcements(int rank) const { return at(rank, barriers() - 1, 0); }
  [[nodiscard]] Agent barrier(int rank, int number) const { return at(rank, barriers(), number); }

  [[nodiscard]] bool is_thread(Agent agent) const { return agent % of_block() < threads_; }
  [[nodiscard]] Owner owner(Agent agent) const {
    const Agent place = agent % of_block();
    const auto owner = [&](Kind kind, Agent first) {
      return Owner{kind, static_cast<int>(agent / of_block()), static_cast<int>(place - first)};
    };
    if (place < threads_) return owner(Kind::thread, 0);
    if (place < 2 * threads_) return owner(Kind::copies, threads_);
    if (place < barriers() - 1) return owner(Kind::products, 2 * threads_);
    if (place < barriers()) return owner(Kind::announcements, barriers() - 1);
    return owner(Kind::barrier, barriers());
  }

 private:
  /// The first mbarrier's place among the block's.
  [[nodiscard]] constexpr Agent barriers() const { return 2 * threads_ + (threads_ + 31) / 32 + 1; }
  [[nodiscard]] Agent at(int rank, Agent first, int number) const {
    return static_cast<Agent>(rank) * of_block() + first + static_cast<Agent>(number);
  }

  Agent threads_;
};

/// What an agent did between two events after which others may know of it. 0 is no epoch.
class Epoch {
 public:
  static constexpr std::uint32_t agent_bits = 14;  // 8 blocks of 900 threads, or fewer of more
  static constexpr std::uint32_t most_agents = 1U << agent_bits;
  static constexpr std::uint32_t most_time = (1U << (32 - agent_bits)) - 1;

  constexpr Epoch() = default;
  constexpr Epoch(Agent agent, std::uint32_t time) : bits_(time << agent_bits | agent) {}
  [[nodiscard]] constexpr Agent agent() const { return bits_ & ((1U << agent_bits) - 1); }
  [[nodiscard]] constexpr std::uint32_t time() const { return bits_ >> agent_bits; }
  [[nodiscard]] constexpr bool none() const { return bits_ == 0; }
  constexpr bool operator==(const Epoch&) const = default;

 private:
  std::uint32_t bits_ = 0;
};

/// For every agent, the last of its times whose doings happened before: never changed once shared.
struct View {
  std::vector<std::uint32_t> times;
  std::uint32_t serial = 0;  // from 1 on; no other View of the cluster has it
};
using ViewRef = std::shared_ptr<const View>;

/// What one thread knows. Of itself and its own copies more than its view says.
struct Knowledge {
  Agent self = 0;
  Agent copies = 0;    // the agent of its asynchronous copies
  Agent products = 0;  // and that of its warp's matrix products
  ViewRef view;
  std::uint32_t now = 1;
  std::uint32_t copies_now = 1;   // of the group that is open
  std::uint32_t copies_seen = 0;  // of the last group that was waited for
  std::uint32_t products_seen = 0;

  [[nodiscard]] Epoch epoch() const { return {self, now}; }
  [[nodiscard]] Epoch copy_epoch() const { return {copies, copies_now}; }
  /// Whether what happened at the epoch happened before what the thread does now.
  [[nodiscard]] bool ordered(Epoch epoch) const {
    const Agent agent = epoch.agent();
    if (agent == self) return true;
    if (agent == copies && epoch.time() <= copies_seen) return true;
    if (agent == products && epoch.time() <= products_seen) return true;
    return view->times[agent] >= epoch.time();
  }
};

/// Collects what some threads know, and hands it to others.
class Join {
 public:
  explicit Join(std::size_t agents = 0) : times_(agents) {}

  /// All that the thread knows and did so far. What it does next is later.
  void add(Knowledge& thread);
  /// What copies did up to this time of theirs.
  void add(Agent agent, std::uint32_t time) { raise(times_[agent], time); }
  void add(const View& view);
  [[nodiscard]] std::size_t agents() const { return times_.size(); }
  [[nodiscard]] bool holds(Epoch epoch) const { return times_[epoch.agent()] >= epoch.time(); }
  [[nodiscard]] ViewRef view(std::uint32_t serial) const {
    return std::make_shared<const View>(View{times_, serial});
  }
  void clear();

 private:
  static void raise(std::uint32_t& time, std::uint32_t other) {
    if (time < other) time = other;
  }

  std::vector<std::uint32_t> times_;
  std::uint32_t last_added_ = 0;  // its serial
};

/// Makes the views of the threads of a cluster.
class Views {
 public:
  explicit Views(std::size_t agents) : scratch_(agents) {}

  /// As at the beginning.
  void clear();
  [[nodiscard]] std::size_t agents() const { return scratch_.agents(); }
  /// For a view of what some threads know: empty, until the next call of any of these.
  Join& start();
  ViewRef finish() { return of(scratch_); }
  ViewRef of(const Join& join) { return join.view(++serial_); }
  /// The thread knows all of the view too.
  void teach(Knowledge& thread, const ViewRef& view);

 private:
  Join scratch_;
  std::uint32_t serial_ = 0;
  // The last two that were joined: lanes that wait for the same phase learn the same.
  ViewRef known_, taught_, joined_;
};

}  // namespace flashcore::emulate
