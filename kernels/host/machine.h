// What executes a kernel on the CPU: the host's wrappers of device/ptx hand it every instruction,
// and the hooks that the compiler calls hand it every plain load and store.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <source_location>

#include "device/element.h"

namespace flashcore::host {

/// What is counted. Those up to wgmma_wait are executed by a warp and counted once for it, those
/// from ex2 on by a thread and counted for each.
enum class Instruction : std::uint8_t {
  mma,
  ldmatrix,
  wmma_load,
  wmma_store,
  shuffle,
  warp_barrier,
  warp_ballot,
  warp_any,
  elect,
  named_barrier,
  named_barrier_arrive,
  cluster_arrive,
  cluster_wait,
  set_registers,
  wgmma,
  wgmma_fence,
  wgmma_commit,
  wgmma_wait,
  ex2,
  lg2,
  reciprocal,
  convert,
  block_barrier,
  block_any,
  copy_async,
  copy_async_commit,
  copy_async_wait,
  mbarrier_init,
  mbarrier_arrive,
  mbarrier_wait,
  mbarrier_test,
  tensor_prefetch,
  tensor_load,
  tensor_store,
  tensor_store_commit,
  tensor_store_wait,
  fence_async,
  peer_load,
  peer_store,
  peer_store_counted,
  peer_copy,
  peer_arrive,
};
inline constexpr int instruction_kinds = static_cast<int>(Instruction::peer_arrive) + 1;

/// Where in a kernel's source an instruction stands: the line that a wrapper was called from, or
/// the return address of a hook. Either is an address inside the module.
class Site {
 public:
  constexpr Site() = default;
  // A source_location is one pointer to constant data of the module.
  Site(std::source_location line) : bits_(std::bit_cast<std::uintptr_t>(line) | line_bit) {}
  [[gnu::no_sanitize("thread")]] explicit Site(const void* return_address)
      : bits_(reinterpret_cast<std::uintptr_t>(return_address)) {}

  [[nodiscard]] bool is_line() const { return (bits_ & line_bit) != 0; }
  [[nodiscard]] std::uintptr_t address() const { return bits_ & ~line_bit; }

 private:
  static constexpr std::uintptr_t line_bit = std::uintptr_t{1} << 63;  // above every address
  std::uintptr_t bits_ = 0;
};
static_assert(sizeof(std::source_location) == sizeof(void*));

/// A lane's registers of a fragment. Passed by value: an array whose address reached the machine
/// would count as memory throughout the kernel.
struct Words {
  unsigned values[4];
};
struct Sums {
  float values[4];
};

/// A place in the shared memory of one of a cluster's blocks.
struct PeerAddress {
  int rank;
  unsigned offset;

  [[nodiscard]] PeerAddress at(int byte_offset) const {
    return {rank, offset + static_cast<unsigned>(byte_offset)};
  }
};

/// Whose writes a wait shows: those of the block's threads, or of all of the cluster's.
enum class Scope : std::uint8_t { block, cluster };

/// Of a tensor's element, the fastest dimension first.
struct Coordinates {
  int values[4];
};

/// One lane's part of an asynchronous product of 64 rows, 16 deep. The sums are in the lane's
/// memory because the machine writes them when it likes until they are waited for.
struct Product {
  float* sums;  // [columns / 2]
  int columns;
  device::Element element;
  bool transposed_b;
  bool accumulate;
  bool a_in_registers;
  Words a;
  std::uint64_t descriptor_a;
  std::uint64_t descriptor_b;
};

/// One block of threads, of which one runs at a time on the caller's system thread, where those of
/// the other blocks of its cluster run too. A function that
/// makes the thread wait returns when it may go on, after others have run; after an error it never
/// does. Shared addresses count from the block's first byte of shared memory.
class Machine {
 public:
  // What is asked all the time.
  int thread = 0;
  long long block = 0;
  int rank = 0;  // of the block in its cluster
  int cluster_blocks = 1;
  unsigned char* shared = nullptr;
  const unsigned char* stacks = nullptr;  // of all threads
  std::size_t stack_bytes = 0;
  std::uint64_t counts[instruction_kinds] = {};
  int products_in_flight = 0;  // sums that asynchronous products may write

  Machine() = default;
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  virtual ~Machine() = default;

  // The machine's own accesses are none of the kernel's.
  [[gnu::no_sanitize("thread")]] void count(Instruction instruction) {
    ++counts[static_cast<int>(instruction)];
  }
  [[nodiscard, gnu::no_sanitize("thread")]] bool on_stack(const void* address) const {
    return static_cast<std::size_t>(static_cast<const unsigned char*>(address) - stacks) <
           stack_bytes;
  }

  /// Before a plain access. `aligned`: one access of a size that its address is a multiple of.
  virtual void load(const void* from, std::size_t bytes, bool aligned, Site site) = 0;
  virtual void store(void* to, std::size_t bytes, bool aligned, Site site) = 0;
  /// The C library's functions, with the checks of their loads and stores.
  virtual void copy_bytes(void* to, const void* from, std::size_t bytes, Site site) = 0;
  virtual void fill_bytes(void* to, int value, std::size_t bytes, Site site) = 0;
  /// Before a plain access to the thread's stack while products are in flight.
  virtual void stack_access(const void* address, std::size_t bytes, bool writes, Site site) = 0;

  virtual void block_barrier(Site site) = 0;
  virtual bool block_any(bool answer, Site site) = 0;

  virtual void warp_barrier(Site site) = 0;
  virtual unsigned warp_ballot(bool answer, Site site) = 0;
  virtual bool warp_any(bool answer, Site site) = 0;
  virtual float shuffle_xor(float value, int lane_mask, Site site) = 0;
  /// The lanes meet for an instruction that each of them then does its own part of.
  virtual void meet(Instruction instruction, Site site) = 0;
  /// ldmatrix, or a load of a WMMA operand.
  virtual Words load_matrices(Instruction instruction, unsigned s_row, bool transposed,
                              Site site) = 0;
  /// mma.m16n8k16: A * B + c.
  virtual Sums multiply_add(device::Element element, Sums c, Words a, unsigned b_low,
                            unsigned b_high, Site site) = 0;
  /// What a wrapper asks of an address beyond what its loads and stores do.
  virtual void require_aligned(const void* address, std::size_t alignment, Site site) = 0;

  /// 16 bytes; zeros where not `present`.
  virtual void copy_async(unsigned char* s_to, const void* g_from, bool present, Site site) = 0;
  virtual void copy_async_commit(Site site) = 0;
  virtual void copy_async_wait(int pending, Site site) = 0;

  virtual void mbarrier_init(void* s_barrier, int arrivals, Site site) = 0;
  virtual void mbarrier_arrive(void* s_barrier, Site site) = 0;
  virtual void mbarrier_arrive_after_copies(void* s_barrier, Site site) = 0;
  virtual void mbarrier_wait(const void* s_barrier, int parity, Scope scope, Site site) = 0;
  /// Asks once, and lets nobody else go on meanwhile: to ask until it is so, wait.
  virtual bool mbarrier_test(const void* s_barrier, int parity, Site site) = 0;
  virtual void mbarrier_arrive_and_expect(void* s_barrier, int bytes, Site site) = 0;
  virtual void fence_mbarrier_init(Site site) = 0;

  virtual void named_barrier(int id, int threads, bool waits, Site site) = 0;
  virtual bool elect_one(Site site) = 0;

  /// `shows`: what the thread wrote; without, only that its block has started, and its barriers.
  virtual void cluster_arrive(bool shows, Site site) = 0;
  virtual void cluster_wait(Site site) = 0;
  /// 4, 8 or 16 bytes, here and below.
  virtual Words load_peer(PeerAddress from, std::size_t bytes, Site site) = 0;
  virtual void store_peer(PeerAddress to, Words values, std::size_t bytes, Site site) = 0;
  virtual void store_peer_counted(PeerAddress to, Words values, std::size_t bytes,
                                  PeerAddress barrier, Site site) = 0;
  virtual void copy_to_peer(PeerAddress to, const unsigned char* s_from, int bytes,
                            PeerAddress barrier, Site site) = 0;
  virtual void mbarrier_arrive_peer(PeerAddress barrier, Site site) = 0;

  /// Maps are device::TensorMaps that emulate::encode_for_emulator wrote.
  virtual void prefetch_tensor_map(const void* map, Site site) = 0;
  virtual void load_tensor(const void* map, unsigned char* s_to, void* s_barrier, Coordinates at,
                           Site site) = 0;
  virtual void load_tensor_multicast(const void* map, unsigned char* s_to, void* s_barrier,
                                     unsigned block_mask, Coordinates at, Site site) = 0;
  virtual void store_tensor(const void* map, const unsigned char* s_from, Coordinates at,
                            Site site) = 0;
  virtual void store_tensor_commit(Site site) = 0;
  virtual void store_tensor_wait(int pending, Site site) = 0;
  virtual void fence_async_proxy(Site site) = 0;

  virtual void start_product(Product product, Site site) = 0;
  virtual void products_fence(Site site) = 0;
  virtual void products_commit(Site site) = 0;
  virtual void products_wait(int pending, Site site) = 0;
};

}  // namespace flashcore::host
