// The families' own kernels, each without one of its barriers or waits: the emulator notices.
#include <gtest/gtest.h>

#include <deque>

#include "dispatch/variants.h"
#include "emulated_call.h"

namespace flashcore::emulate {
namespace {

struct Removed {
  std::string variant;
  std::string file;
  std::string statement;  // the first that begins so
  int head_dim = 64;
  std::string config = {};  // what differs from the default one
  float scale_sign = 1.0F;
};

const std::string shared =
    "rows_per_warp=32,row_warps=2,kv_warps=2,share_weights=1,block_kv=64,stages=1,"
    "q_in_registers=0,half_tiles=0,blocks_per_multiprocessor=2";
const std::string turns =
    "consumers=2,block_kv=128,stages=2,q_stages=1,kv_splits=1,overlap_output=1";
const std::string apart =
    "consumers=3,block_kv=96,stages=2,q_stages=1,kv_splits=1,overlap_output=0";
const std::string early =
    "consumers=4,block_kv=64,stages=2,q_stages=1,kv_splits=1,overlap_output=0";
const std::string alone = "consumers=1,block_kv=128,stages=2,q_stages=1,kv_splits=1";
const std::string cluster = "consumers=1,block_kv=64,stages=2,q_stages=1,kv_splits=2";

/// Of the Hopper kernel's room.
Removed hopper(const std::string& file, const std::string& statement,
               const std::string& config = turns, int head_dim = 64, float scale_sign = 1.0F) {
  return {"phase_3a", "forward_tma_wgmma/" + file, statement, head_dim, config, scale_sign};
}

void PrintTo(const Removed& removed, std::ostream* stream) {
  *stream << removed.variant << " without " << removed.statement << " of " << removed.file;
}

/// The library's sources with one statement gone.
std::vector<jit::EmbeddedSource> sources_without(const Removed& removed) {
  static std::deque<std::string> texts;  // for as long as the modules' store may ask
  const auto embedded = jit::embedded_sources();
  std::vector<jit::EmbeddedSource> sources(embedded.begin(), embedded.end());
  for (jit::EmbeddedSource& source : sources) {
    if (source.path != removed.file) continue;
    std::string& text = texts.emplace_back(source.text);
    const std::size_t place = text.find(removed.statement);
    if (place == std::string::npos) return {};
    text.erase(place, text.find(';', place) - place);
    source.text = text;
  }
  return sources;
}

class RemovedBarriers : public ::testing::TestWithParam<Removed> {};

TEST_P(RemovedBarriers, AreFound) {
  const auto* variant = dispatch::find_variant(GetParam().variant);
  const auto* family = family::find_family(variant->family);
  const auto problem =
      core::contiguous_problem(core::Dtype::float16, 1, 2, 2, 64, 300, GetParam().head_dim);
  auto config = family->default_config(problem, core::limits_of({9, 0, true}));
  if (const auto pinned = dispatch::pinned_of(*variant).config)
    config = family::overlaid(config, *pinned);
  if (!GetParam().config.empty())
    config = family::overlaid(config, family::ConfigFields::parse(GetParam().config));

  static std::deque<std::vector<jit::EmbeddedSource>> all_sources;
  const auto& sources = all_sources.emplace_back(sources_without(GetParam()));
  ASSERT_FALSE(sources.empty()) << "the file has no such statement";
  // On one multiprocessor blocks that stay have both heads' tasks.
  EmulatedCall emulated(*family, config, problem, sources, hopper_of(1));
  auto call = core::HostCall::random(problem, 1);
  call.scale *= GetParam().scale_sign;
  // A row that is computed again, because a value it must not see is NaN.
  call.v.set(7, std::numeric_limits<float>::quiet_NaN());
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    emulated.run(call, seed);
    EXPECT_NE(emulated.findings(), "") << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kernels, RemovedBarriers,
    ::testing::Values(
        Removed{"v12_baseline", "forward_scalar/kernel.cuh",
                "device::block_barrier();  // the tile is complete"},
        Removed{"v8_dynamic", "forward_wmma/kernel.cuh",
                "device::block_barrier();  // probabilities, factors"},
        Removed{"v8_dynamic", "device/attention/careful_row.h", "warp_barrier();"},
        Removed{"phase_2c", "forward_cp_async/kernel.cuh",
                "loader.copies.template wait<ahead - 1>();"},
        Removed{"phase_2c", "forward_cp_async/kernel.cuh",
                "device::warp_barrier();  // every lane has its scores"},
        Removed{"phase_2d", "forward_cp_async/kernel.cuh",
                "device::wait(S::empty(ring.stage), ring.parity ^ 1);"},
        Removed{"phase_2d", "forward_cp_async/kernel.cuh", "device::arrive(S::empty(ring.stage));"},
        Removed{"phase_2e", "forward_mma/kernel.cuh",
                "device::block_barrier();  // everyone's part of Q is there"},
        Removed{"phase_2e", "forward_mma/kernel.cuh", "device::copy_async_wait<tiles_ahead(C)>();"},
        Removed{"phase_2e", "forward_mma/epilogue.cuh",
                "device::block_barrier();  // the parts are complete"},
        Removed{"phase_2e", "forward_mma/kernel.cuh",
                "device::block_barrier();       // everyone's has landed, everyone is done with",
                256, shared},
        Removed{"phase_2e", "forward_mma/shared_sweep.cuh",
                "device::block_barrier();  // the maxima are complete", 256, shared},
        Removed{"phase_2e", "forward_mma/shared_sweep.cuh",
                "device::block_barrier();  // the sums are complete", 256, shared},
        hopper("kernel.cuh", "device::block_barrier();  // the barriers are initialised"),
        hopper("kernel.cuh", "device::fence_barrier_init();"),
        hopper("producer.cuh", "device::wait_suspended(barriers_.q_empty[", turns, 128),
        hopper("producer.cuh", "device::wait_suspended(barriers_.k_empty["),
        hopper("producer.cuh", "device::wait_suspended(barriers_.v_empty["),
        hopper("producer.cuh", "device::arrive_and_expect(full"),
        hopper("consumer.cuh", "device::wait_suspended(barriers_.q_full["),
        hopper(
            "consumer.cuh",
            "device::wait_suspended(barriers_.k_full[k_ring_.stage], k_ring_.parity);\n    start"),
        hopper(
            "consumer.cuh",
            "device::wait_suspended(barriers_.v_full[v_ring_.stage], v_ring_.parity);\n    start"),
        hopper("consumer.cuh", "device::wait_suspended(barriers_.k_full[", apart),
        hopper("consumer.cuh", "device::wait_suspended(barriers_.v_full[", apart),
        hopper("consumer.cuh", "device::arrive_if(last && lane_ == 0, barriers_.q_empty[", turns,
               128),
        hopper("consumer.cuh", "release(barriers_.q_empty["),
        hopper("consumer.cuh", "release(barriers_.k_empty["),
        hopper("consumer.cuh", "release(barriers_.v_empty["),
        hopper("consumer.cuh", "pass_turn();  // the first turn"),
        hopper("consumer.cuh", "pass_turn();\n    } else {"),
        hopper("consumer.cuh", "pass_turn();\n    }\n  }\n  device::MatrixDescriptor finish",
               apart),
        hopper("consumer.cuh", "pass_turn();\n      device::wgmma_wait<0>();", early),
        hopper("consumer.cuh", "device::wgmma_wait<1>();"),
        hopper("consumer.cuh", "device::wgmma_wait<0>();\n      if constexpr (!passes", apart),
        hopper("consumer.cuh", "device::wgmma_wait<0>();\n      if constexpr (!passes", early),
        hopper("consumer.cuh", "finish_scores();\n    if constexpr", apart),
        hopper("consumer.cuh", "finish_output();\n  }\n\n  /// The tiles that", apart),
        hopper("consumer.cuh",
               "device::wgmma_wait<0>();\n      finish_output();\n    }\n    if (moved)"),
        hopper("consumer.cuh", "device::fence_async_proxy();", turns, 128, -1.0F),
        hopper("consumer.cuh", "device::named_barrier(1 + consumer_", alone, 128, -1.0F),
        hopper("epilogue.cuh", "device::warp_barrier();  // lanes read what others stored",
               cluster),
        hopper("kernel.cuh", "device::cluster_arrive_relaxed();", cluster),
        hopper("consumer.cuh", "device::cluster_wait();", cluster),
        hopper("consumer.cuh", "merge().wait();", cluster),
        hopper("merge.cuh", "device::arrive_and_expect(", cluster)));

}  // namespace
}  // namespace flashcore::emulate
