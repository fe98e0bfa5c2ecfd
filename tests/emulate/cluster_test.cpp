// Clusters on the emulator: parts of a sum come together through distributed shared memory in every
// way there is, and small kernels with one mistake are caught, where the same without it are not.
#include <gmock/gmock.h>

#include <numeric>
#include <vector>

#include "emulate/call.h"
#include "emulate/tensor_map.h"
#include "kernels/cluster/params.h"
#include "small_kernel.h"
#include "support/message_of.h"

namespace flashcore::emulate {
namespace {

using cluster::Exchange;
using ::testing::HasSubstr;

constexpr unsigned clusters = 3;

/// One launch of three clusters.
struct ClusterCall {
  ClusterCall(Exchange which, unsigned blocks_of_cluster, bool broken = false, int floats = 1)
      : blocks(blocks_of_cluster), in(std::size_t{clusters} * blocks * part_floats(floats)) {
    std::iota(in.begin(), in.end(), 1.0F);
    std::iota(box.begin(), box.end(), std::uint16_t{1});
    params.which = which;
    params.broken = broken;
    params.floats = floats;
    encode_for_emulator({.dims = {64, 32, 1, 1},
                         .strides_bytes = {128, cluster::box_bytes, cluster::box_bytes},
                         .box = {64, 32, 1, 1},
                         .swizzle = cuda::Swizzle::none},
                        box.data(), params.box);
  }
  ClusterCall(const ClusterCall&) = delete;
  ClusterCall& operator=(const ClusterCall&) = delete;

  static std::size_t part_floats(int floats) {
    return static_cast<std::size_t>(cluster::threads * floats);
  }

  Report run(std::uint64_t seed = 0, bool checks = true) {
    static const host::Module& module = small_kernel("cluster");
    params.g_in = in.data();
    params.g_out = out.data();
    const auto bytes = [](const auto& values) { return values.size() * sizeof(values[0]); };
    return launch(module,
                  {.grid = clusters * blocks,
                   .block = cluster::threads,
                   .cluster = blocks,
                   .shared_bytes = cluster::shared_bytes},
                  &params,
                  {.seed = seed,
                   .checks = checks,
                   .buffers = {{in.data(), bytes(in), "in", false},
                               {out.data(), bytes(out), "out", true},
                               {box.data(), bytes(box), "box", false}},
                   .label = "cluster"});
  }

  /// Of the call's thread `element / floats`.
  [[nodiscard]] float sum_of(std::size_t one_cluster, std::size_t element) const {
    float sum = 0;
    const std::size_t part = part_floats(params.floats);
    for (std::size_t rank = 0; rank < blocks; ++rank)
      sum += in[(one_cluster * blocks + rank) * part + element];
    return sum;
  }

  cluster::Params params{};
  unsigned blocks;
  std::vector<float> in;
  alignas(16) std::array<std::uint16_t, cluster::box_bytes / 2> box{};
  std::vector<float> out = std::vector<float>(std::size_t{clusters} * cluster::most_blocks *
                                              cluster::box_bytes / sizeof(float));
};

class ClusterSums : public testing::TestWithParam<std::tuple<Exchange, unsigned, int>> {};

TEST_P(ClusterSums, AreThoseOfAPlainComputation) {
  const auto [which, blocks, floats] = GetParam();
  for (std::uint64_t seed = 0; seed < 4; ++seed)
    for (const bool checks : {true, false}) {
      ClusterCall call(which, blocks, false, floats);
      ASSERT_EQ(describe(call.run(seed, checks)), "") << "seed " << seed;
      const std::size_t part = ClusterCall::part_floats(floats);
      for (std::size_t each = 0; each < clusters; ++each)
        for (std::size_t i = 0; i < part; ++i)
          ASSERT_EQ(call.out[each * part + i], call.sum_of(each, i))
              << "cluster " << each << " element " << i << " seed " << seed;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Ways, ClusterSums,
    testing::Combine(testing::Values(Exchange::sum_by_loads, Exchange::sum_by_stores,
                                     Exchange::sum_by_arrivals, Exchange::sum_by_counted_stores,
                                     Exchange::sum_by_copies, Exchange::sum_twice),
                     testing::Values(1U, 2U, 4U, 8U), testing::Values(1, 2, 4)));

TEST(ClusterMulticast, BringsTheBoxToEveryBlock) {
  for (const unsigned blocks : {1U, 2U, 8U})
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      ClusterCall call(Exchange::multicast, blocks);
      ASSERT_EQ(describe(call.run(seed)), "") << "seed " << seed;
      const auto* boxes = reinterpret_cast<const std::uint16_t*>(call.out.data());
      for (std::size_t block = 0; block < std::size_t{clusters} * blocks; ++block)
        for (std::size_t i = 0; i < call.box.size(); ++i)
          ASSERT_EQ(boxes[block * call.box.size() + i], call.box[i])
              << "block " << block << " element " << i;
    }
}

TEST(ClusterCounts, EveryInstructionAndItsBytes) {
  constexpr unsigned blocks = 4;
  constexpr std::uint64_t all_threads = clusters * blocks * cluster::threads;
  const auto counts_of = [](Exchange which) {
    return ClusterCall(which, blocks, false, 2).run().counts;
  };
  const Counts loads = counts_of(Exchange::sum_by_loads);
  EXPECT_EQ(loads.of(host::Instruction::cluster_arrive), 2 * all_threads / 32);
  EXPECT_EQ(loads.of(host::Instruction::cluster_wait), 2 * all_threads / 32);
  EXPECT_EQ(loads.of(host::Instruction::peer_load), all_threads);
  EXPECT_EQ(loads.of(AccessKind::peer_load), all_threads * 8);
  const Counts stores = counts_of(Exchange::sum_by_stores);
  EXPECT_EQ(stores.of(host::Instruction::peer_store), all_threads);
  EXPECT_EQ(stores.of(AccessKind::peer_store), all_threads * 8);
  const Counts arrivals = counts_of(Exchange::sum_by_arrivals);
  EXPECT_EQ(arrivals.of(host::Instruction::peer_arrive), all_threads);
  const Counts counted = counts_of(Exchange::sum_by_counted_stores);
  EXPECT_EQ(counted.of(host::Instruction::peer_store_counted), all_threads);
  EXPECT_EQ(counted.of(AccessKind::peer_store), all_threads * 8);
  const Counts copies = counts_of(Exchange::sum_by_copies);
  EXPECT_EQ(copies.of(host::Instruction::peer_copy), clusters * blocks);
  EXPECT_EQ(copies.of(AccessKind::peer_copy), all_threads * 8);
  const Counts multicast = counts_of(Exchange::multicast);
  EXPECT_EQ(multicast.of(host::Instruction::tensor_load), clusters);
  EXPECT_EQ(multicast.of(AccessKind::global_copy), clusters * cluster::box_bytes);
  EXPECT_EQ(multicast.of(AccessKind::shared_copy), clusters * blocks * cluster::box_bytes);
}

TEST(ClusterSchedules, AreTheSameForTheSameSeed) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    ClusterCall once(Exchange::missing_cluster_barrier, 4, true),
        again(Exchange::missing_cluster_barrier, 4, true);
    EXPECT_EQ(describe(once.run(seed)), describe(again.run(seed))) << "seed " << seed;
  }
}

TEST(ClusterLaunch, RefusesWhatNoGpuTakesAndWhatItCannotFollow) {
  const cluster::Params params{};
  const host::Module& module = small_kernel("cluster");
  const auto message = [&](const cuda::LaunchShape& shape) {
    return test::message_of([&] { launch(module, shape, &params, {}); });
  };
  EXPECT_THAT(message({.grid = 16, .cluster = 16}), HasSubstr("16 blocks in clusters of 16"));
  EXPECT_THAT(message({.grid = 6, .cluster = 4}), HasSubstr("6 blocks in clusters of 4"));
  EXPECT_THAT(message({.grid = 8, .block = 1024, .cluster = 8}),
              HasSubstr("clusters of 8 blocks of 1024 threads"));
}

struct ClusterMistake {
  Exchange which;
  FindingKind kind;
  std::vector<std::string> words;
};

void PrintTo(const ClusterMistake& mistake, std::ostream* stream) {
  *stream << "case " << static_cast<int>(mistake.which);
}

class ClusterMistakes : public testing::TestWithParam<ClusterMistake> {};

TEST_P(ClusterMistakes, AreFoundInEverySchedule) {
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const Report report = ClusterCall(GetParam().which, 2, true, 4).run(seed);
    ASSERT_EQ(report.findings.size(), clusters) << "seed " << seed;
    const std::string message = report.findings[0].to_string();
    if (seed > 0) continue;  // which of a mistake's consequences comes first is the schedule's
    EXPECT_EQ(report.findings[0].kind, GetParam().kind) << message;
    for (const std::string& words : GetParam().words) EXPECT_THAT(message, HasSubstr(words));
  }
}

TEST_P(ClusterMistakes, AndNothingWithoutThem) {
  for (std::uint64_t seed = 0; seed < 8; ++seed)
    for (const unsigned blocks : {2U, 4U})
      EXPECT_EQ(describe(ClusterCall(GetParam().which, blocks, false, 4).run(seed)), "")
          << "seed " << seed;
}

INSTANTIATE_TEST_SUITE_P(
    Lives, ClusterMistakes,
    testing::Values(ClusterMistake{Exchange::before_the_peer_started,
                                   FindingKind::lifetime,
                                   {"writes block 0's shared memory",
                                    "no barrier of the cluster says that it has started"}},
                    ClusterMistake{Exchange::peer_that_left,
                                   FindingKind::lifetime,
                                   {"reads block 1's shared memory, which has left the kernel"}},
                    ClusterMistake{Exchange::counted_and_left,
                                   FindingKind::lifetime,
                                   {"is the last of its block to leave the kernel",
                                    "a copy that was started at"}},
                    ClusterMistake{Exchange::copy_from_one_that_left,
                                   FindingKind::lifetime,
                                   {"block 1, ", "is the last of its block to leave the kernel",
                                    "no thread of the block has waited for it"}}));

INSTANTIATE_TEST_SUITE_P(
    Races, ClusterMistakes,
    testing::Values(
        ClusterMistake{Exchange::missing_cluster_barrier,
                       FindingKind::race,
                       {"reads 16 bytes of shared memory", "of block 1 wrote at",
                        "no barrier of the cluster's scope lies between"}},
        ClusterMistake{Exchange::relaxed_arrival,
                       FindingKind::race,
                       {"reads 16 bytes of block 1's shared memory",
                        "no barrier of the cluster's scope lies between"}},
        ClusterMistake{Exchange::overwritten_before_it_was_read,
                       FindingKind::race,
                       {"of block 1 wrote at", "no barrier of the cluster's scope lies between"}},
        ClusterMistake{Exchange::wait_of_the_block,
                       FindingKind::race,
                       {"of block 1 wrote at", "no barrier of the cluster's scope lies between"}},
        ClusterMistake{Exchange::counted_and_wait_of_the_block,
                       FindingKind::race,
                       {"the target of a copy that arrives at an mbarrier",
                        "has not waited for the mbarrier with wait_cluster"}},
        ClusterMistake{Exchange::init_that_is_not_shown,
                       FindingKind::race,
                       {"arrives at the mbarrier at byte 13312 of block 0, which thread 0 of block "
                        "0 initialised"}},
        ClusterMistake{
            Exchange::copy_without_async_fence, FindingKind::race, {"no fence_async_proxy"}},
        ClusterMistake{Exchange::unordered_in_global_memory,
                       FindingKind::race,
                       {"writes 4 bytes of out", "thread 0 of block 0 wrote"}}));

INSTANTIATE_TEST_SUITE_P(
    Copies, ClusterMistakes,
    testing::Values(ClusterMistake{Exchange::counted_and_not_awaited,
                                   FindingKind::pending_copy,
                                   {"the target of a copy", "not complete"}},
                    ClusterMistake{Exchange::counted_over_what_is_read,
                                   FindingKind::pending_copy,
                                   {"copies 16 bytes to block 0's shared memory", "not complete"}},
                    ClusterMistake{Exchange::copy_of_what_is_overwritten,
                                   FindingKind::pending_copy,
                                   {"the source of a copy that arrives at an mbarrier of block 0",
                                    "not complete"}},
                    ClusterMistake{
                        Exchange::copy_of_odd_size, FindingKind::misaligned, {"copies 1020 bytes"}},
                    ClusterMistake{Exchange::multicast_not_awaited,
                                   FindingKind::pending_copy,
                                   {"the target of a copy", "not complete"}}));

INSTANTIATE_TEST_SUITE_P(
    Barriers, ClusterMistakes,
    testing::Values(
        ClusterMistake{Exchange::arrival_without_a_wait,
                       FindingKind::barrier,
                       {"has not waited since it last did"}},
        ClusterMistake{
            Exchange::wait_without_an_arrival, FindingKind::barrier, {"has not arrived at it"}},
        ClusterMistake{
            Exchange::block_that_hangs,
            FindingKind::deadlock,
            {"threads 0-63 of block 0 wait for the cluster's barrier, where 96 of the 128 threads",
             "threads 32-63 of block 1 wait for the mbarrier at byte 13312"}},
        ClusterMistake{Exchange::counted_elsewhere,
                       FindingKind::barrier,
                       {"sends bytes to rank 0, and counts them in rank 1"}},
        ClusterMistake{
            Exchange::counted_too_few,
            FindingKind::barrier,
            {"phase 0 of the mbarrier at byte 13312", "16 bytes fewer than copies bring"}},
        ClusterMistake{
            Exchange::arrival_at_nothing,
            FindingKind::barrier,
            {"arrives at the mbarrier at byte 13312 of block 0, which nobody has initialised"}},
        ClusterMistake{
            Exchange::copy_without_init_fence, FindingKind::barrier, {"no fence_barrier_init"}},
        ClusterMistake{
            Exchange::multicast_unexpected,
            FindingKind::barrier,
            {"is left with 0 of 1 arrivals", "4096 bytes came that it does not expect"}}));

INSTANTIATE_TEST_SUITE_P(
    Places, ClusterMistakes,
    testing::Values(
        ClusterMistake{
            Exchange::unwritten_by_the_peer, FindingKind::unwritten, {"was never written"}},
        ClusterMistake{Exchange::past_the_peers_memory,
                       FindingKind::out_of_bounds,
                       {"reads 16 bytes at byte 13376 of shared memory, which has 13328"}},
        ClusterMistake{
            Exchange::misaligned_in_the_peer, FindingKind::misaligned, {"must be aligned to 16"}},
        ClusterMistake{
            Exchange::rank_outside, FindingKind::out_of_bounds, {"rank 2 in a cluster of 2"}},
        ClusterMistake{Exchange::multicast_outside,
                       FindingKind::out_of_bounds,
                       {"copies to blocks 0x7 of a cluster of 2"}}));

}  // namespace
}  // namespace flashcore::emulate
