// Happens-before by vector clocks, as in FastTrack (Flanagan and Freund 2009, "FastTrack: efficient
// and precise dynamic race detection"), with what barriers teach many threads kept once.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace flashcore::emulate {

/// Who accesses memory: thread t is agent t, and the asynchronous copies that it starts are agent
/// t + threads of the block. Then come the matrix products of each warp, and the mbarriers that
/// copies of tensors arrive at.
using Agent = std::uint32_t;

/// What an agent did between two events after which others may know of it. 0 is no epoch.
class Epoch {
 public:
  static constexpr std::uint32_t agent_bits = 12;  // 1024 threads, their copies and some more
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
  std::uint32_t serial = 0;  // from 1 on; no other View of the block has it
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

}  // namespace flashcore::emulate
