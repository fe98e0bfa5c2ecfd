// The wrappers of Hopper's instructions: the PTX of every one is taken by ptxas.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "toolchain.h"

namespace flashcore::jit {
namespace {

/// A producer warpgroup that loads, a consumer that multiplies and stores: every wrapper once.
constexpr EmbeddedSource every_wrapper{"every_wrapper/kernel.cuh", R"(
#include "device/ptx/dependent_launch.h"
#include "device/ptx/elect.h"
#include "device/ptx/named_barrier.h"
#include "device/ptx/opaque.h"
#include "device/ptx/tensor_copy.h"
#include "device/ptx/warpgroup.h"
#include "device/ptx/wgmma.h"
#include "device/tile/warpgroup.h"
namespace flashcore::device {
struct Params { TensorMap in; TensorMap out; float* sums; };
template <typename T, int N>
__global__ void __launch_bounds__(256, 1) every_wrapper(const __grid_constant__ Params params) {
  unsigned char* s_tile = tensor_memory();
  Mbarrier& loaded = *reinterpret_cast<Mbarrier*>(s_tile + 65536);
  wait_for_predecessor();
  if (thread_index() == 0) {
    prefetch(params.in);
    init(loaded, 1);
    fence_barrier_init();
  }
  block_barrier();
  if (warpgroup_index() == 0) {
    set_registers_down<24>();
    if (warp_index() == 0 && elect_one()) {
      arrive_and_expect(loaded, 65536);
      copy_tensor(params.in, s_tile, loaded, 0, 1, 2, 3);
    }
    named_barrier_arrive(1, 256);
    return;
  }
  set_registers_up<240>();
  wait_suspended(loaded, 0);
  const SharedAddress tile = shared_address(s_tile);
  float sums[N / 2];
  unsigned fragments[1][4] = {{1, 2, 3, 4}}, copies[1][4];
  refill(copies, fragments);
  unsigned(&weights)[4] = copies[0];
  hold(weights);
  wgmma_fence();
  multiply_shared<N>(T{}, sums, k_major(tile).at(32), k_major(tile), false);
  multiply_shared<N, true>(T{}, sums, k_major(tile), n_major(tile, 8192), true);
  multiply_registers<N>(T{}, sums, weights, k_major(tile), true);
  multiply_registers<N, true>(T{}, sums, weights, n_major(tile, 8192), true);
  wgmma_commit();
  wgmma_wait<0>();
  hold(sums);
  const unsigned long long first = opaque(8192ULL * uniform(warpgroup_index()));
  for (int i = 0; i < N / 2; ++i) params.sums[first + i * 128 + thread_index() % 128] = sums[i];
  fence_async_proxy();
  named_barrier(1, 256);
  if (warp_index() == 4 && elect_one()) {
    store_tensor(params.out, s_tile, 0, 1, 2, 3);
    store_commit();
    store_wait_read<0>();
  }
  allow_successor();
}
}  // namespace flashcore::device
)"};

/// The wrappers of a cluster: each of them once, for each size of what it moves.
constexpr EmbeddedSource cluster_wrappers{"cluster_wrappers/kernel.cuh", R"(
#include "device/ptx/cluster.h"
#include "device/ptx/tensor_copy.h"
#include "device/ptx/thread.h"
namespace flashcore::device {
struct Params { TensorMap in; float* sums; };
template <int Count>
void exchange(PeerAddress peer, PeerAddress filled, float* g_sums) {
  Vector<float, Count> values = load_peer<Count>(peer);
  for (float& value : values.values) value += 1.0F;
  store_peer(peer.at(64), values);
  store_peer_counted(peer.at(128), values, filled);
  for (int i = 0; i < Count; ++i) g_sums[i] = values.values[i];
}
__global__ void __launch_bounds__(128, 1) cluster_wrappers(const __grid_constant__ Params params) {
  unsigned char* s_tile = tensor_memory();
  Mbarrier& loaded = *reinterpret_cast<Mbarrier*>(s_tile + 65536);
  Mbarrier& filled = *reinterpret_cast<Mbarrier*>(s_tile + 65544);
  const int next = (cluster_rank() + 1) % cluster_size();
  if (thread_index() == 0) {
    init(loaded, 1);
    init(filled, 1);
    fence_barrier_init();
  }
  cluster_arrive_relaxed();
  cluster_wait();
  if (thread_index() == 0) {
    arrive_and_expect(loaded, 65536);
    copy_tensor_multicast(params.in, s_tile, loaded,
                          static_cast<unsigned short>((1 << cluster_size()) - 1), 0, 1, 2, 3);
  }
  wait_suspended(loaded, 0);
  const PeerAddress s_peer = peer_address(shared_address(s_tile + thread_index() * 256), next);
  const PeerAddress peer_filled = peer_address(shared_address(&filled), next);
  exchange<1>(s_peer, peer_filled, params.sums);
  exchange<2>(s_peer, peer_filled, params.sums);
  exchange<4>(s_peer, peer_filled, params.sums);
  store_peer(s_peer, 1.0F);
  store_peer(s_peer, Vector<unsigned, 4>{{1, 2, 3, 4}});
  store_peer_counted(s_peer, 1.0F, peer_filled);
  fence_async_proxy();
  block_barrier();
  if (thread_index() == 0) {
    copy_to_peer(s_peer, s_tile, 1024, peer_filled);
    arrive_peer(peer_filled);
  }
  wait_cluster(filled, 0);
  cluster_barrier();
}
}  // namespace flashcore::device
)"};

/// Two products whose sums are read before the wait, or behind it.
constexpr EmbeddedSource two_products{"two_products/kernel.cuh", R"(
#include "device/ptx/thread.h"
#include "device/ptx/wgmma.h"
#include "device/tile/warpgroup.h"
namespace flashcore::device {
template <bool reads_in_flight>
__global__ void __launch_bounds__(128, 1) two_products(float* g_sums) {
  const SharedAddress tile = shared_address(tensor_memory());
  float sums[32], others[32];
  wgmma_fence();
  multiply_shared<64>(Float16{}, sums, k_major(tile), k_major(tile), false);
  if (reads_in_flight) g_sums[thread_index()] = sums[0];
  multiply_shared<64>(Float16{}, others, k_major(tile).at(32), k_major(tile), false);
  wgmma_commit();
  wgmma_wait<0>();
  hold(sums);
  hold(others);
  for (int i = 0; i < 32; ++i) g_sums[i * 128 + thread_index()] = sums[i] + others[i];
}
}  // namespace flashcore::device
)"};

TEST(Wgmma, ThatTheCompilerSerializesIsReported) {
  REQUIRE_COMPILER();
  std::vector<EmbeddedSource> sources(embedded_sources().begin(), embedded_sources().end());
  sources.push_back(two_products);
  const auto serialized = [&](const std::string& reads_in_flight) {
    const std::string instance = "flashcore::device::two_products<" + reads_in_flight + ">";
    return compile({"two_products/kernel.cuh", instance}, sm_90a, sources)
        .report.serialized_products;
  };
  EXPECT_FALSE(serialized("false"));
  EXPECT_TRUE(serialized("true"));
}

TEST(ClusterWrappers, AreTakenByTheCompiler) {
  REQUIRE_COMPILER();
  std::vector<EmbeddedSource> sources(embedded_sources().begin(), embedded_sources().end());
  sources.push_back(cluster_wrappers);
  const Binary binary = compile(
      {"cluster_wrappers/kernel.cuh", "flashcore::device::cluster_wrappers"}, sm_90a, sources);
  EXPECT_EQ(binary.report.spill_bytes, 0);
  EXPECT_EQ(binary.report.stack_bytes, 0);
}

class HopperWrappers : public testing::TestWithParam<int> {};

TEST_P(HopperWrappers, AreTakenByTheCompilerForBothElements) {
  REQUIRE_COMPILER();
  std::vector<EmbeddedSource> sources(embedded_sources().begin(), embedded_sources().end());
  sources.push_back(every_wrapper);
  for (const std::string element : {"Float16", "BFloat16"}) {
    const std::string instance = "flashcore::device::every_wrapper<flashcore::device::" + element +
                                 ", " + std::to_string(GetParam()) + ">";
    const Binary binary = compile({"every_wrapper/kernel.cuh", instance}, sm_90a, sources);
    EXPECT_EQ(binary.report.spill_bytes, 0) << instance;
    EXPECT_EQ(binary.report.stack_bytes, 0) << instance;
  }
}

INSTANTIATE_TEST_SUITE_P(Columns, HopperWrappers, testing::Values(32, 64, 96, 128, 192, 256));

}  // namespace
}  // namespace flashcore::jit
