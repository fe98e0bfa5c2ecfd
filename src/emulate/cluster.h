// A cluster of blocks of an emulated grid, or one block where there are no clusters: what its
// blocks share, and the schedule of their threads.
//
// Threads switch only where they would have to wait on a GPU. Who goes on is decided by the seed;
// with seed 0 a block, and in it a warp, runs until its threads wait, and asynchronous copies land
// when they must.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "emulate/access_log.h"
#include "emulate/clock.h"
#include "emulate/fiber.h"
#include "emulate/global_map.h"
#include "emulate/global_shadow.h"
#include "emulate/launch.h"
#include "emulate/site.h"

namespace flashcore::emulate {

class Block;

/// What the blocks of a launch share.
struct Grid {
  const host::Module& module;
  cuda::LaunchShape shape;
  const void* params;
  const Options& options;
  ModuleImage image{module};
  GlobalMap global{options.buffers};
};

/// Numbers that a cluster's schedule is drawn from (Steele, Lea and Flood 2014, "Fast splittable
/// pseudorandom number generators").
class Random {
 public:
  using result_type = std::uint64_t;
  explicit Random(std::uint64_t seed = 0) : state_(seed) {}
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }
  result_type operator()() {
    std::uint64_t bits = state_ += 0x9E3779B97F4A7C15U;
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9U;
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EBU;
    return bits ^ bits >> 31;
  }

 private:
  std::uint64_t state_;
};

/// The cluster's barrier: complete when every thread that has not left has arrived.
struct ClusterBarrier {
  struct Waiting {
    Block* block;
    int thread;
  };
  int arrived = 0;  // threads
  std::uint64_t phases = 0;
  Join arriving = Join();
  ViewRef completed = {};
  std::vector<Waiting> waiting = {};
};

class Cluster {
 public:
  explicit Cluster(const Grid& grid);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// Runs the blocks from number `first` on to their end, or to the first finding in one of them.
  std::optional<Finding> run(long long first);

  /// Adds those of all blocks so far.
  void add_counts(Counts& counts, SiteTable& sites) const;

  // For its blocks.
  [[nodiscard]] const Grid& grid() const { return grid_; }
  [[nodiscard]] int size() const { return static_cast<int>(grid_.shape.cluster); }
  [[nodiscard]] Block& block(int rank) { return *blocks_[static_cast<std::size_t>(rank)]; }
  [[nodiscard]] Fibers& fibers() { return fibers_; }
  Random& random() { return random_; }
  /// By the seed; never with seed 0.
  bool chance(unsigned one_in) { return grid_.options.seed != 0 && random_() % one_in == 0; }
  /// Below `count`, by the seed; 0 with seed 0.
  std::size_t choice(std::size_t count) { return grid_.options.seed == 0 ? 0 : random_() % count; }
  /// The thread that runs has to wait: others do, until it is ready and chosen again.
  void run_others();
  /// Ends the run.
  [[noreturn]] void give_up(Finding finding);
  /// The barrier's phase, where every thread that is left has arrived.
  void complete_barrier_when_due();
  [[nodiscard]] std::string describe_barrier() const;

  const Agents agents;
  Views views;
  GlobalShadow global_shadow;
  ClusterBarrier barrier;

 private:
  static void thread_body(void* owner, int fiber);
  void reset(long long first);
  /// The fiber that goes on, whose block has it for its thread.
  int next_fiber();
  bool something_lands();
  void thread_left();
  [[noreturn]] void fail_deadlock();
  [[noreturn]] void leave();

  const Grid& grid_;
  Fibers fibers_;  // block by block
  std::vector<std::unique_ptr<Block>> blocks_;
  int running_ = 0;  // fiber
  int threads_left_ = 0;
  Random random_;
  std::optional<Finding> finding_;
  std::exception_ptr failure_;
};

}  // namespace flashcore::emulate
