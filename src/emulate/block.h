// One block of an emulated grid: its threads as fibers, its shared memory, its barriers.
//
// Threads switch only where they would have to wait on a GPU. Who goes on is decided by the seed;
// with seed 0 a warp runs until its lanes wait, and asynchronous copies land when they must.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
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
#include "emulate/shadow.h"
#include "emulate/site.h"
#include "emulate/tensor_map.h"
#include "host/machine.h"

namespace flashcore::emulate {

/// What the blocks of a launch share.
struct Grid {
  const host::Module& module;
  cuda::LaunchShape shape;
  const void* params;
  const Options& options;
  ModuleImage image{module};
  GlobalMap global{options.buffers};
};

/// Numbers that a block's schedule is drawn from (Steele, Lea and Flood 2014, "Fast splittable
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

class Block final : public host::Machine {
 public:
  explicit Block(const Grid& grid);

  /// Runs block `index` to its end or to its first finding.
  std::optional<Finding> run(long long index);

  /// Of all blocks so far.
  [[nodiscard]] const SiteTable& sites() const { return sites_; }

  void load(const void* from, std::size_t bytes, bool aligned, host::Site site) override;
  void store(void* to, std::size_t bytes, bool aligned, host::Site site) override;
  void copy_bytes(void* to, const void* from, std::size_t bytes, host::Site site) override;
  void fill_bytes(void* to, int value, std::size_t bytes, host::Site site) override;
  void require_aligned(const void* address, std::size_t alignment, host::Site site) override;
  void stack_access(const void* address, std::size_t bytes, bool writes, host::Site site) override;

  void block_barrier(host::Site site) override;
  bool block_any(bool answer, host::Site site) override;

  void warp_barrier(host::Site site) override;
  unsigned warp_ballot(bool answer, host::Site site) override;
  bool warp_any(bool answer, host::Site site) override;
  float shuffle_xor(float value, int lane_mask, host::Site site) override;
  void meet(host::Instruction instruction, host::Site site) override;
  host::Words load_matrices(host::Instruction instruction, unsigned s_row, bool transposed,
                            host::Site site) override;
  host::Sums multiply_add(device::Element element, host::Sums c, host::Words a, unsigned b_low,
                          unsigned b_high, host::Site site) override;

  void copy_async(unsigned char* s_to, const void* g_from, bool present, host::Site site) override;
  void copy_async_commit(host::Site site) override;
  void copy_async_wait(int pending, host::Site site) override;

  void mbarrier_init(void* s_barrier, int arrivals, host::Site site) override;
  void mbarrier_arrive(void* s_barrier, host::Site site) override;
  void mbarrier_arrive_after_copies(void* s_barrier, host::Site site) override;
  void mbarrier_wait(const void* s_barrier, int parity, host::Site site) override;
  void mbarrier_arrive_and_expect(void* s_barrier, int bytes, host::Site site) override;
  void fence_mbarrier_init(host::Site site) override;

  void named_barrier(int id, int threads, bool waits, host::Site site) override;
  bool elect_one(host::Site site) override;

  void prefetch_tensor_map(const void* map, host::Site site) override;
  void load_tensor(const void* map, unsigned char* s_to, void* s_barrier, host::Coordinates at,
                   host::Site site) override;
  void store_tensor(const void* map, const unsigned char* s_from, host::Coordinates at,
                    host::Site site) override;
  void store_tensor_commit(host::Site site) override;
  void store_tensor_wait(int pending, host::Site site) override;
  void fence_async_proxy(host::Site site) override;

  void start_product(host::Product product, host::Site site) override;
  void products_fence(host::Site site) override;
  void products_commit(host::Site site) override;
  void products_wait(int pending, host::Site site) override;

 private:
  /// An asynchronous copy of 16 bytes that has not landed.
  struct Copy {
    unsigned char* s_to;
    const void* g_from;  // null: zeros
  };
  /// A box on its way to shared memory.
  struct TensorLoad {
    EncodedTensor tensor;
    host::Coordinates at;
    std::size_t s_to;
    std::size_t barrier;  // its offset
  };
  /// A box on its way from shared memory.
  struct TensorStore {
    EncodedTensor tensor;
    host::Coordinates at;
    std::size_t s_from;
  };
  /// The copies of a thread between two commits.
  struct CopyGroup {
    std::size_t end;     // in Thread::copies
    std::uint32_t time;  // of the thread's copies
  };
  struct Thread {
    Knowledge knowledge;
    bool gone = false;
    // What it waits for, where it does.
    host::Instruction waits_for = host::Instruction::block_barrier;
    host::Site waits_at;
    std::size_t waits_on = 0;  // an mbarrier's offset
    // Its copies, in order; those below `landed` have landed.
    std::vector<Copy> copies;
    std::size_t landed = 0;
    std::vector<CopyGroup> groups;  // that were not waited for
    // Its stores of boxes, likewise.
    std::vector<TensorStore> stores;
    std::size_t stores_landed = 0;
    std::size_t stores_seen = 0;  // waited for
    std::vector<CopyGroup> store_groups;
    host::Site stored_at;
  };
  /// Registers of a warp that products write until they are waited for.
  struct SumsInFlight {
    std::array<float*, 32> lanes{};
    std::size_t columns = 0;
    std::vector<float> values;  // [16][columns]
    std::uint32_t last_group = 0;
    host::Site site;

    /// Calls exchange_one(value, the register it belongs to) for all.
    template <typename Exchange>
    void exchange(Exchange&& exchange_one);
  };
  struct StartedProduct {
    host::Product product;
    std::array<host::Words, 32> a;
    std::size_t sums;  // in Warp::sums
    std::uint32_t group;
  };
  struct LoggedProduct {
    host::Product product;
    host::Site site;
  };
  static constexpr std::uint32_t whole_warp = ~0U;
  /// Lanes that wait for the others of their warp.
  struct Warp {
    std::uint32_t lanes = 0;  // that exist
    std::uint32_t ready = 0;  // that can run, or do
    std::uint32_t arrived = 0;
    std::uint32_t at_block_barrier = 0;
    host::Instruction instruction = host::Instruction::warp_barrier;
    host::Site site;
    std::array<void*, 32> operands{};
    std::uint64_t named_phase = 0;  // of the named barrier that it arrived at last
    // Its asynchronous matrix products.
    std::deque<StartedProduct> products;  // not executed
    std::vector<SumsInFlight> sums;
    std::uint32_t product_group = 1;  // that is open
    std::size_t products_started = 0;
    bool products_fenced = false;
    WarpLog log;
  };
  struct BlockBarrier {
    int arrived = 0;
    host::Instruction instruction = host::Instruction::block_barrier;
    host::Site site;
    bool any = false;
    bool result = false;
  };
  struct Mbarrier {
    int expected = 0;
    int pending = 0;           // arrivals until the phase completes
    std::uint64_t phases = 0;  // completed
    Epoch init;
    host::Site site;  // of the init
    Join arriving;
    ViewRef completed;         // what waiting for the last phase teaches
    std::vector<int> waiting;  // threads
    // What copies of tensors bring: expected, less those that have landed.
    long long transactions = 0;
    Agent copies = 0;  // 0: none yet
    bool shown_to_copies = false;
  };
  struct NamedBarrier {
    int expected = 0;
    int arrived = 0;
    std::uint64_t phases = 0;
    host::Site site;
    Join arriving = Join();
    ViewRef completed;
    std::vector<int> waiting;
  };
  /// An arrival that comes when a thread's copies have landed.
  struct CopyArrival {
    int thread;
    std::size_t copies_end;
    Epoch copies;
    std::size_t barrier;  // its offset
  };

  // block.cpp: threads and their schedule.
  static void thread_body(void* owner, int fiber);
  void reset(long long index);
  [[noreturn]] void leave();
  void thread_ends();
  void require_nothing_in_flight();
  /// Others run until this thread is ready again.
  void wait(host::Instruction instruction, host::Site site, std::size_t waits_on = 0);
  int next_thread();
  void wake(int thread);
  /// By the seed; never with seed 0.
  bool chance(unsigned one_in) { return grid_.options.seed != 0 && random_() % one_in == 0; }
  Thread& me() { return threads_[static_cast<std::size_t>(thread)]; }
  Warp& my_warp() { return warps_[static_cast<std::size_t>(thread / 32)]; }
  [[nodiscard]] std::uint32_t lane_bit() const { return 1U << thread % 32; }

  // Findings.
  [[nodiscard]] Finding begin_finding(FindingKind kind, host::Site site) const;
  [[noreturn]] void give_up(Finding finding);
  [[noreturn]] void fail_deadlock();
  /// `access`: "reads 4 bytes of o, of which byte 12", which is the one in conflict.
  [[noreturn]] void fail_conflict(const std::string& access, const Shadow::Conflict& conflict,
                                  host::Site site);
  [[noreturn]] void fail_async_conflict(const std::string& access, const Shadow::Conflict& conflict,
                                        host::Site site);
  [[nodiscard]] std::string describe_threads(const std::vector<int>& threads) const;
  [[nodiscard]] std::string describe_wait(const Thread& thread) const;

  // block_memory.cpp
  [[nodiscard]] bool in_shared(const void* address) const {
    return static_cast<std::size_t>(static_cast<const unsigned char*>(address) - shared) <
           shared_bytes_;
  }
  [[nodiscard]] std::size_t offset(const void* address) const {
    return static_cast<std::size_t>(static_cast<const unsigned char*>(address) - shared);
  }
  void shared_load(AccessKind kind, std::size_t offset, std::size_t bytes, host::Site site);
  void shared_store(AccessKind kind, std::size_t offset, std::size_t bytes, Epoch epoch,
                    host::Site site);
  /// Whether it is one of the call's buffers, and not a constant.
  bool require_global(bool writes, const void* address, std::size_t bytes, host::Site site);
  void global_access(AccessKind kind, const void* address, std::size_t bytes, host::Site site);
  void require_ordered(bool writes, const Buffer& buffer, const void* address, std::size_t bytes,
                       host::Site site);
  void require_inside(const void* address, std::size_t bytes, const char* action, host::Site site);
  [[nodiscard]] std::string describe_place(const void* address) const;
  void note(AccessKind kind, const void* address, std::size_t bytes, host::Site site);

  // block_warp.cpp
  /// The last lane to come calls execute(operands) for all.
  template <typename Execute>
  void together(host::Instruction instruction, host::Site site, void* operand, Execute&& execute) {
    if (!last_of_warp(instruction, site, operand)) return;
    execute(my_warp().operands);
    my_warp().ready = whole_warp;
  }
  /// Waits for the warp's other lanes, unless this is the last: the others then wait for it.
  bool last_of_warp(host::Instruction instruction, host::Site site, void* operand);
  void require_together(host::Instruction instruction, host::Site site);
  [[noreturn]] void fail_apart(host::Instruction instruction, host::Site site);

  // block_barriers.cpp
  bool cross_block_barrier(host::Instruction instruction, bool answer, host::Site site);
  void complete_block_barrier();
  Mbarrier& initialised(const void* s_barrier, const char* action, host::Site site);
  void arrive_at(std::size_t place, Mbarrier& barrier, host::Site site);
  void complete_phase_when_due(Mbarrier& barrier);
  void learn(Knowledge& knowledge, const ViewRef& view);
  void require_whole_phases();

  // block_copies.cpp
  void land(Thread& thread, std::size_t end);
  /// One of the things that are under way comes; whether there was one.
  bool something_lands();
  void fire_copy_arrival(std::size_t index);

  // block_tensor.cpp
  EncodedTensor decoded(const void* map, host::Site site);
  void require_box(const EncodedTensor& tensor, const void* s_box, const char* action,
                   host::Site site);
  void global_box(bool writes, const EncodedTensor& tensor, const host::Coordinates& at,
                  host::Site site);
  Agent next_barrier_agent(host::Site site);
  void land_tensor_load(std::size_t index);
  void require_expected(std::size_t place, const Mbarrier& barrier, host::Site site);
  void land_stores(Thread& owner, std::size_t end);
  void async_read(std::size_t first, std::size_t bytes, Epoch epoch, host::Site site);

  // block_products.cpp
  void require_same_product(const std::array<host::Product*, 32>& lanes, host::Site site);
  void read_operands(const host::Product& product, Epoch epoch, host::Site site);
  std::size_t sums_of(const std::array<host::Product*, 32>& lanes, host::Site site);
  void execute_products(Warp& warp, std::uint32_t last_group);
  void execute(const StartedProduct& started, std::size_t warp_of_group, SumsInFlight& sums);
  void hand_back_sums(Warp& warp, std::uint32_t last_group);

  // block_named.cpp
  void arrive_at_named(int id, int threads, host::Site site);
  [[noreturn]] void fail_named_barrier(const std::string& what, int id, host::Site site);

  // Agents beyond the threads and their copies.
  static constexpr std::size_t most_barrier_agents = 64;
  [[nodiscard]] std::size_t first_products_agent() const { return 2 * threads_.size(); }
  [[nodiscard]] std::size_t first_barrier_agent() const {
    return first_products_agent() + warps_.size();
  }
  [[nodiscard]] Agent products_agent() const {
    return static_cast<Agent>(first_products_agent()) + static_cast<Agent>(thread / 32);
  }

  const Grid& grid_;
  const bool checks_;
  int thread_count_;
  std::size_t shared_bytes_;
  std::vector<unsigned char> shared_storage_;
  Fibers fibers_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::uint32_t ready_warps_ = 0;
  int threads_left_ = 0;
  BlockBarrier barrier_;
  std::map<std::size_t, Mbarrier> mbarriers_;  // by offset
  std::vector<CopyArrival> copy_arrivals_;
  std::vector<TensorLoad> tensor_loads_;
  std::size_t barrier_agents_ = 0;
  std::array<NamedBarrier, 16> named_barriers_;
  Join join_;
  std::uint32_t view_serial_ = 0;
  // The last two views that were joined: lanes that wait for the same phase learn the same.
  std::array<ViewRef, 2> learned_from_;
  ViewRef learned_;
  std::vector<std::vector<LoggedProduct>> group_products_;  // of each warpgroup, in order
  /// For every thread, the last of its times whose writes asynchronous reads may see.
  std::vector<std::uint32_t> fenced_;
  Shadow shadow_;
  GlobalShadow global_shadow_;
  SiteTable sites_;
  Random random_;
  std::optional<Finding> finding_;
  std::exception_ptr failure_;
};

}  // namespace flashcore::emulate
