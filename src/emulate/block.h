// One block of an emulated grid: its threads, its shared memory, its barriers. When they run is
// its cluster's to say.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "emulate/access_log.h"
#include "emulate/clock.h"
#include "emulate/cluster.h"
#include "emulate/shadow.h"
#include "emulate/tensor_map.h"
#include "host/machine.h"

namespace flashcore::emulate {

class Block final : public host::Machine {
 public:
  Block(Cluster& cluster, int rank);

  // For the cluster.
  /// Becomes block `index` of the grid, at its beginning.
  void reset(long long index);
  /// The thread that was chosen, from its beginning to its end.
  void run_thread();
  /// Whether a thread can go on.
  [[nodiscard]] bool ready() const { return ready_warps_ != 0; }
  /// Makes one that can the block's thread.
  int choose_thread();
  void wake(int thread);
  /// How many things are on their way to the block's shared memory; one of them comes.
  [[nodiscard]] std::size_t under_way() const { return copy_arrivals_.size() + deliveries_.size(); }
  void land_one(std::size_t index);
  /// Who waits where, and who has left.
  [[nodiscard]] std::vector<Finding::Part> describe_waits() const;
  [[nodiscard]] Finding begin_finding(FindingKind kind, host::Site site) const;
  /// At the end of a run: what its threads did since their warps last met counts too.
  void flush_logs();
  /// Of all blocks that it has been.
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
  void mbarrier_wait(const void* s_barrier, int parity, host::Scope scope,
                     host::Site site) override;
  bool mbarrier_test(const void* s_barrier, int parity, host::Site site) override;
  void mbarrier_arrive_and_expect(void* s_barrier, int bytes, host::Site site) override;
  void fence_mbarrier_init(host::Site site) override;

  void named_barrier(int id, int threads, bool waits, host::Site site) override;
  bool elect_one(host::Site site) override;

  void cluster_arrive(bool shows, host::Site site) override;
  void cluster_wait(host::Site site) override;
  host::Words load_peer(host::PeerAddress from, std::size_t bytes, host::Site site) override;
  void store_peer(host::PeerAddress to, host::Words values, std::size_t bytes,
                  host::Site site) override;
  void store_peer_counted(host::PeerAddress to, host::Words values, std::size_t bytes,
                          host::PeerAddress barrier, host::Site site) override;
  void copy_to_peer(host::PeerAddress to, const unsigned char* s_from, int bytes,
                    host::PeerAddress barrier, host::Site site) override;
  void mbarrier_arrive_peer(host::PeerAddress barrier, host::Site site) override;

  void prefetch_tensor_map(const void* map, host::Site site) override;
  void load_tensor(const void* map, unsigned char* s_to, void* s_barrier, host::Coordinates at,
                   host::Site site) override;
  void load_tensor_multicast(const void* map, unsigned char* s_to, void* s_barrier,
                             unsigned block_mask, host::Coordinates at, host::Site site) override;
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
  /// What copies bring: a box of a tensor, a thread's registers, or shared memory of a block.
  struct TensorPart {
    EncodedTensor tensor;
    host::Coordinates at;
  };
  using Cargo = std::variant<TensorPart, host::Words, const unsigned char*>;
  /// Bytes on their way to this block's shared memory, which one of its mbarriers counts.
  struct Delivery {
    Cargo cargo;
    std::size_t s_to;
    std::size_t bytes;
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
    // Of the cluster's barrier: the phase that it arrived in and has not waited for.
    bool at_cluster_barrier = false;
    std::uint64_t cluster_phase = 0;
    std::uint32_t announced = 1;  // of announced_, what its relaxed arrivals show
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
    // What copies bring: expected, less those that have landed.
    long long transactions = 0;
    Agent copies = 0;           // those of tensors; 0: none yet
    Agent sent = 0;             // counted stores, and copies of shared memory
    std::uint32_t shown = 0;    // fence_barrier_init's announcement of it; 0: none yet
    Join arriving_for_cluster;  // no agents: nothing that only waits of the cluster's scope see
    ViewRef completed_for_cluster;

    /// The phase under way has the parity of their number, the last one and that before the first
    /// the other.
    bool completed_phase_of(int parity) const { return static_cast<int>(phases & 1U) != parity; }
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
  void reset_threads();
  void thread_ends();
  void leave_cluster_barrier();
  void require_nothing_in_flight();
  /// Others run until this thread is ready again.
  void wait(host::Instruction instruction, host::Site site, std::size_t waits_on = 0);
  bool chance(unsigned one_in) { return cluster_.chance(one_in); }
  Thread& me() { return threads_[static_cast<std::size_t>(thread)]; }
  Warp& my_warp() { return warps_[static_cast<std::size_t>(thread / 32)]; }
  [[nodiscard]] std::uint32_t lane_bit() const { return 1U << thread % 32; }

  // Findings.
  [[noreturn]] void give_up(Finding finding) { cluster_.give_up(std::move(finding)); }
  /// `access`: "reads 4 bytes of o, of which byte 12", which is the one in conflict.
  [[noreturn]] void fail_conflict(const std::string& access, const Shadow::Conflict& conflict,
                                  host::Site site);
  [[noreturn]] void fail_async_conflict(const std::string& access, const Shadow::Conflict& conflict,
                                        host::Site site);
  [[nodiscard]] std::string describe_threads(const std::vector<int>& threads) const;
  [[nodiscard]] std::string describe_wait(const Thread& thread) const;
  /// The bytes that a phase lacks, or has too many of.
  [[nodiscard]] static std::string describe_transactions(const Mbarrier& barrier);
  /// "thread 5", and of which block where it is another.
  [[nodiscard]] std::string describe_thread(Agent agent) const;
  /// What a place belongs to: "shared memory", "block 3's shared memory".
  [[nodiscard]] std::string describe_shared(const Block& of) const;
  /// "the mbarrier at byte 64", and of which block.
  [[nodiscard]] std::string describe_mbarrier(const Block& of, std::size_t place) const;

  // block_memory.cpp
  [[nodiscard]] bool in_shared(const void* address) const {
    return static_cast<std::size_t>(static_cast<const unsigned char*>(address) - shared) <
           shared_bytes_;
  }
  [[nodiscard]] std::size_t offset(const void* address) const {
    return static_cast<std::size_t>(static_cast<const unsigned char*>(address) - shared);
  }
  void shared_load(AccessKind kind, Block& of, std::size_t offset, std::size_t bytes,
                   host::Site site);
  void shared_store(AccessKind kind, Block& of, std::size_t offset, std::size_t bytes, Epoch epoch,
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
  Mbarrier& initialised(Block& of, std::size_t place, const char* action, host::Site site);
  void require_fenced_init(const Block& of, std::size_t place, const Mbarrier& barrier,
                           host::Site site);
  void arrive_at(Block& of, std::size_t place, Mbarrier& barrier, host::Site site);
  void complete_phase_when_due(Mbarrier& barrier);
  void require_whole_phases();

  // block_copies.cpp
  void land(Thread& thread, std::size_t end);
  void fire_copy_arrival(std::size_t index);
  void land_delivery(std::size_t index);

  // block_tensor.cpp
  EncodedTensor decoded(const void* map, host::Site site);
  void require_box(const EncodedTensor& tensor, const void* s_box, const char* action,
                   host::Site site);
  void global_box(bool writes, const EncodedTensor& tensor, const host::Coordinates& at,
                  host::Site site);
  void start_load(const void* map, const void* s_to, const void* s_barrier, unsigned block_mask,
                  host::Coordinates at, host::Site site);
  Epoch landing_of(Block& of, const Mbarrier& barrier, Agent& agent, host::Site site);
  void deliver(Block& to, const Delivery& delivery, Epoch landing, host::Site site);
  void require_expected(Block& of, std::size_t place, const Mbarrier& barrier, host::Site site);
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

  // block_cluster.cpp
  [[noreturn]] void fail_cluster_barrier(const char* what, host::Site site);
  Block& reach(host::PeerAddress place, std::size_t bytes, std::size_t alignment,
               const char* action, host::Site site);
  void require_alive(const Block& peer, const char* action, host::Site site);
  void visit(Block& peer, Epoch epoch, host::Site site);
  void require_no_visitors();
  Join& for_cluster(Mbarrier& barrier);
  Epoch send(host::PeerAddress to, const Cargo& cargo, std::size_t bytes, host::PeerAddress barrier,
             host::Site site);

  Cluster& cluster_;
  const Grid& grid_;
  const Agents& agents_;
  const bool checks_;
  int thread_count_;
  std::size_t shared_bytes_;
  std::vector<unsigned char> shared_storage_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::uint32_t ready_warps_ = 0;
  int threads_left_ = 0;
  BlockBarrier barrier_;
  std::map<std::size_t, Mbarrier> mbarriers_;  // by offset
  std::vector<CopyArrival> copy_arrivals_;
  std::vector<Delivery> deliveries_;
  int barrier_agents_ = 0;
  /// The times of the block's announcements: 1 is that it has started, later ones are mbarriers
  /// that fence_barrier_init showed to the cluster.
  std::uint32_t announced_ = 1;
  /// What other blocks, and copies between blocks, last did with this one's shared memory.
  std::map<Agent, Access> visits_;
  Join leaving_;  // what the threads that have left knew
  std::array<NamedBarrier, 16> named_barriers_;
  std::vector<std::vector<LoggedProduct>> group_products_;  // of each warpgroup, in order
  /// For every agent that is a thread, the last of its times whose writes asynchronous reads see.
  std::vector<std::uint32_t> fenced_;
  Shadow shadow_;
  SiteTable sites_;
};

}  // namespace flashcore::emulate
