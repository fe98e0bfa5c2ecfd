#include <gtest/gtest.h>

#include <array>
#include <random>
#include <set>

#include "core/gpu_limits.h"
#include "core/problem.h"
#include "device/tile/swizzle.h"
#include "forward_mma/config.h"
#include "forward_mma/defaults.h"
#include "forward_mma/keys.h"
#include "forward_mma/layout.h"

namespace flashcore::forward_mma {
namespace {

/// The lengths and the band of a Problem, as the family passes them.
Params params_of(int queries, int keys, device::Band band, int splits) {
  Params params;
  params.seq_q = queries;
  params.seq_kv = keys;
  params.band_low =
      static_cast<int>(std::clamp<long long>(band.low, -device::band_limit, device::band_limit));
  params.band_high =
      static_cast<int>(std::clamp<long long>(band.high, -device::band_limit, device::band_limit));
  params.kv_splits = device::make_divisor(static_cast<unsigned>(splits));
  return params;
}

device::Band random_band(std::mt19937& random, int queries, int keys) {
  const auto offset = [&] { return static_cast<long long>(random() % 300) - 150; };
  switch (random() % 4) {
    case 0: return {-device::band_unlimited, device::band_unlimited};
    case 1: return {-device::band_unlimited, keys - queries};
    case 2: return {-device::band_unlimited, 0};
    default: break;
  }
  const long long low = offset();
  return {low, low + static_cast<long long>(random() % 200) - 20};
}

/// Walks the tiles as the kernel does, and counts for every pair of a row and a key how often a
/// warp multiplies it without a mask that hides it.
template <Config C>
void expect_visible_pairs_once(const Params& params, device::Band band) {
  const int queries = seq_q(params), keys = seq_kv(params);
  std::vector<int> counted(static_cast<std::size_t>(queries * std::max(keys, 1)));
  for (int first = 0; first < queries; first += block_q(C))
    for (int split = 0; split < static_cast<int>(params.kv_splits.value); ++split) {
      const Keys block = keys_of_block<C>(params, first, split);
      for (int tile_key = block.begin; tile_key < block.end; tile_key += C.block_kv)
        for (int warp = 0; warp < C.row_warps * C.kv_warps; ++warp) {
          const int warp_row = first + warp % C.row_warps * C.rows_per_warp;
          const WarpTile tile =
              warp_tile<C>(params, warp_row, tile_key, warp / C.row_warps, block.end);
          if (!tile.visible) continue;
          for (int row = warp_row; row < std::min(warp_row + C.rows_per_warp, queries); ++row)
            for (int key = tile.first_key; key < tile.first_key + warp_kv(C); ++key) {
              const Keys seen = keys_of_row(params, row);
              if (tile.masked && (key < seen.begin || key >= seen.end)) continue;
              ASSERT_LT(key, block.end) << "not copied";
              ++counted[static_cast<std::size_t>(row * keys + key)];
            }
        }
    }
  for (int row = 0; row < queries; ++row)
    for (int key = 0; key < keys; ++key)
      ASSERT_EQ(counted[static_cast<std::size_t>(row * keys + key)],
                device::visible_keys(band, row, keys).contains(key) ? 1 : 0)
          << "row " << row << " key " << key << " of " << queries << " x " << keys << ", band "
          << band.low << " to " << band.high;
}

TEST(ForwardMma, EveryVisiblePairIsMultipliedOnceAndNoOther) {
  std::mt19937 random(7);
  for (int i = 0; i < 150; ++i) {
    const int queries = 1 + static_cast<int>(random() % 200);
    const int keys = static_cast<int>(random() % 260);
    const device::Band band = random_band(random, queries, keys);
    const int splits = 2 + static_cast<int>(random() % 4);
    expect_visible_pairs_once<Config{}>(params_of(queries, keys, band, 1), band);
    expect_visible_pairs_once<Config{
        .rows_per_warp = 16, .row_warps = 2, .kv_warps = 4, .block_kv = 128}>(
        params_of(queries, keys, band, 1), band);
    expect_visible_pairs_once<Config{
        .head_dim = 256, .row_warps = 2, .kv_warps = 2, .share_weights = true, .stages = 1}>(
        params_of(queries, keys, band, 1), band);
    expect_visible_pairs_once<Config{
        .rows_per_warp = 16, .row_warps = 1, .kv_warps = 2, .block_kv = 32, .kv_splits = 2}>(
        params_of(queries, keys, band, splits), band);
  }
}

TEST(ForwardMma, EveryChunkOfATileIsCopiedOnceToItsPlace) {
  const auto expect_copied = []<int Chunks>(const Config& config, device::Swizzle<Chunks>) {
    using Tile = device::Swizzle<Chunks>;
    const char* tile = nullptr;
    for (const int rows : {config.block_kv, block_q(config)}) {
      std::set<long> places;
      for (int thread = 0; thread < threads(config); ++thread) {
        const int row = thread / chunks(config), chunk = thread % chunks(config);
        if (row >= rows_per_pass(config)) continue;
        for (int pass = 0; pass + row < rows; pass += rows_per_pass(config)) {
          const long place = Tile::down(tile, Tile::offset(row, chunk), pass) - tile;
          ASSERT_EQ(place, Tile::offset(pass + row, chunk)) << threads(config) << " threads";
          places.insert(place);
        }
      }
      EXPECT_EQ(places.size(), static_cast<std::size_t>(rows * chunks(config)));
    }
  };
  std::set<std::array<int, 4>> seen;
  for (const int head_dim : {32, 64, 96, 128, 192, 256})
    for (const Config& config : all_configs(Config{.head_dim = head_dim})) {
      if (!seen.insert({head_dim, threads(config), config.block_kv, block_q(config)}).second)
        continue;
      switch (head_dim) {
        case 32: expect_copied(config, device::Swizzle<4>{}); break;
        case 64: expect_copied(config, device::Swizzle<8>{}); break;
        case 96: expect_copied(config, device::Swizzle<12>{}); break;
        case 128: expect_copied(config, device::Swizzle<16>{}); break;
        case 192: expect_copied(config, device::Swizzle<24>{}); break;
        default: expect_copied(config, device::Swizzle<32>{}); break;
      }
      if (testing::Test::HasFatalFailure()) return;
    }
}

TEST(ForwardMma, SharedMemoryIsReusedOnlyWhereItIsFree) {
  for (const Config& config : all_configs(Config{.head_dim = 128})) {
    const Layout map = layout(config);
    const int q_bytes = block_q(config) * config.head_dim * 2;
    EXPECT_EQ(map.s_v, map.s_k + config.stages * map.tile_bytes);
    EXPECT_EQ(map.s_weights, map.s_v + config.stages * map.tile_bytes);
    if (config.share_weights) {
      EXPECT_EQ(map.s_exchange, map.s_weights + 2 * block_q(config) * config.block_kv * 2);
      EXPECT_GE(map.total, map.s_exchange + config.kv_warps * block_q(config) * 4);
      EXPECT_LE(map.s_out + q_bytes, map.s_exchange) << "where the sums are joined";
    }
    EXPECT_GE(map.total, map.s_weights);
    if (map.s_q < map.s_k)
      EXPECT_GE(map.s_k, map.s_q + q_bytes);
    else  // where the last two tiles of V will be, once Q has gone on to registers
      EXPECT_TRUE(config.q_in_registers &&
                  map.s_q >= map.s_v + (config.stages - 2) * map.tile_bytes &&
                  map.s_q + q_bytes <= map.s_v + config.stages * map.tile_bytes);
    const int rows = config.kv_warps * block_q(config);
    if (merges(config))
      EXPECT_LE(map.s_partial_rows + rows * static_cast<int>(sizeof(WarpRow)), map.total);
    else
      EXPECT_LE(map.s_out + q_bytes, map.total);
  }
}

TEST(ForwardMma, DefaultsKeepAdaTo99KiB) {
  const auto gpu = core::limits_of({8, 9});
  EXPECT_EQ(gpu.shared_bytes_per_block, 99 * 1024);
  for (const int head_dim : {32, 64, 96, 128, 192, 256})
    for (const int seq : {1, 40, 300, 4096, 100'000}) {
      const auto problem =
          core::contiguous_problem(core::Dtype::float16, 1, 8, 8, seq, seq, head_dim);
      const Config config = default_for(problem, gpu);
      EXPECT_LE(layout(config).total, 99 * 1024);
      EXPECT_TRUE(valid(config, gpu)) << valid(config, gpu).reason();
    }
}

TEST(ForwardMma, WarpsThatShareWeightsSeeATileTogether) {
  constexpr Config config{
      .head_dim = 256, .row_warps = 2, .kv_warps = 2, .share_weights = true, .stages = 1};
  const Params causal = params_of(64, 64, {-device::band_unlimited, 0}, 1);
  // Rows 0 to 31 see keys of the first warp alone; the second one waits for values all the same.
  const WarpTile first = warp_tile<config>(causal, 0, 0, 0, 64);
  const WarpTile second = warp_tile<config>(causal, 0, 0, 1, 64);
  EXPECT_TRUE(first.visible);
  EXPECT_TRUE(second.visible);
  EXPECT_TRUE(second.masked);
}

TEST(ForwardMma, FewRowsAndManyKeysAreSplit) {
  const auto gpu = core::limits_of({9, 0});
  const auto decode = core::contiguous_problem(core::Dtype::float16, 1, 32, 8, 1, 65536, 128);
  EXPECT_GT(default_for(decode, gpu).kv_splits, 1);
  const auto prefill = core::contiguous_problem(core::Dtype::float16, 1, 32, 8, 8192, 8192, 128);
  EXPECT_EQ(default_for(prefill, gpu).kv_splits, 1);
}

TEST(ForwardMma, TheDefaultSuitsEveryProblem) {
  for (const auto arch : {core::Arch{8, 9}, core::Arch{9, 0}})
    for (const std::int64_t batch : {1, 3, 40})
      for (const std::int64_t seq : {1, 64, 512, 5000, 65536})
        for (const std::int64_t head_dim : {32, 64, 128, 256}) {
          const auto gpu = core::limits_of(arch);
          const auto problem =
              core::contiguous_problem(core::Dtype::float16, batch, 8, 2, seq, seq, head_dim);
          EXPECT_TRUE(suits(default_for(problem, gpu), problem, gpu)) << problem.to_string();
        }
}

TEST(ForwardMma, ConfigsThatTheProblemHasNoBlocksOrKeysForDoNotSuit) {
  const auto gpu = core::limits_of({9, 0});  // 132 multiprocessors
  const auto suit = [&](std::int64_t heads, std::int64_t seq, Config config) {
    return suits(config, core::contiguous_problem(core::Dtype::float16, 1, heads, -1, seq, -1, 64),
                 gpu);
  };
  const Config rows_128{.rows_per_warp = 32, .row_warps = 4, .blocks_per_multiprocessor = 1};
  Config config = rows_128;
  EXPECT_TRUE(suit(8, 512, config));  // 32 blocks
  config.kv_splits = 8;
  EXPECT_TRUE(suit(8, 512, config));
  EXPECT_FALSE(suit(8, 511, config)) << "a split would have less than a tile of 64 keys";
  EXPECT_FALSE(suit(16, 1024, config)) << "1024 blocks, 132 multiprocessors";
  config = rows_128;
  config.blocks_per_multiprocessor = 2;
  EXPECT_FALSE(suit(33, 512, config)) << "132 blocks, one for each multiprocessor";
  EXPECT_TRUE(suit(34, 512, config));
}

}  // namespace
}  // namespace flashcore::forward_mma
