#include "forward_mma/defaults.h"

#include <algorithm>

#include "family/forward_call.h"
#include "forward_mma/layout.h"

namespace flashcore::forward_mma {

using core::GpuLimits;
using core::Problem;
using core::Support;

namespace {

constexpr int register_file = 65536;
constexpr int other_registers =
    47;  // addresses, bounds, fragments on their way: from ptxas's report
constexpr int system_shared_bytes = 1024;  // what the runtime takes of each block's

/// Whether a block has 99 KiB, as on Ada and the small Amperes, and not 163 or 227.
bool has_little_shared(const GpuLimits& gpu) {
  return gpu.shared_bytes_per_block < 128 * 1024;
}

/// Registers that a thread needs: its parts of the output, of Q, of the scores, and of the weights
/// that wait for their values.
int registers_needed(const Config& config) {
  const int rows = config.rows_per_warp;
  const int score_sets = config.half_tiles ? 2 : 1;
  const int scores = rows * step_kv(config) / 32 * score_sets;
  const int weights = config.share_weights ? rows / 4 : scores / 2;
  const int q = config.q_in_registers ? rows * config.head_dim / 64 : rows / 4;
  return rows * out_tiles(config) / 4 + q + scores + weights + other_registers;
}

/// A third tile in shared memory where it fits: worth up to a twentieth at head_dim 64.
Config with_third_stage(Config config, const GpuLimits& gpu) {
  config.stages = 3;
  if (!valid(config, gpu)) config.stages = 2;
  return config;
}

/// Warps of 16 rows: for GPUs that multiply slowly enough for it, or have little shared memory.
Config narrow(Config config, const GpuLimits& gpu) {
  const bool small = has_little_shared(gpu);
  config.rows_per_warp = 16;
  config.row_warps = small && config.head_dim > 192 ? 4 : 8;
  config.block_kv = small && config.head_dim > 128 ? 32 : 64;
  config.half_tiles = false;
  config.q_in_registers = false;
  config.blocks_per_multiprocessor = 1;
  return config;
}

/// Two warps to 32 rows, which weigh for each other: 32 rows of the output are too many for one.
Config shared(Config config, const GpuLimits& gpu) {
  config.rows_per_warp = 32;
  config.row_warps = 2;
  config.kv_warps = 2;
  config.share_weights = true;
  config.block_kv = 64;
  config.stages = 1;
  config.half_tiles = false;
  config.q_in_registers = false;
  config.blocks_per_multiprocessor = 2;
  if (valid(config, gpu)) return config;
  config.row_warps = 4;
  config.blocks_per_multiprocessor = 1;
  return config;
}

/// The Config that a GPU runs fastest which has enough query tiles.
Config throughput(Config config, const GpuLimits& gpu) {
  // Ada and the small Amperes multiply at half the rate per multiprocessor, so reading K and V for
  // 16 rows at a time keeps up, and 99 KiB have to do.
  if (config.head_dim <= 64) return with_third_stage(config, gpu);
  if (config.head_dim == 256 && !has_little_shared(gpu)) return shared(config, gpu);
  if (config.head_dim > 128 || has_little_shared(gpu)) return narrow(config, gpu);
  config.block_kv = 48;
  config.half_tiles = false;
  config.q_in_registers = false;
  return config;
}

/// Half the query rows of a block, each tile's keys dealt to two groups of warps.
Config medium(Config config, const GpuLimits& gpu) {
  config = config.head_dim > 128 ? narrow(config, gpu) : throughput(config, gpu);
  config.row_warps /= 2;
  config.kv_warps = 2;
  config.stages = 2;
  config.half_tiles = false;
  config.block_kv *= 2;
  return config.head_dim <= 64 ? with_third_stage(config, gpu) : config;
}

/// A block of 16 or 32 query rows: what their number does not give in blocks, kv_warps give in
/// warps.
Config latency(Config config, const GpuLimits& gpu, int rows, int kv_warps, int block_kv,
               int blocks_per_multiprocessor) {
  config.rows_per_warp = 16;
  config.row_warps = rows / 16;
  config.kv_warps = kv_warps;
  config.block_kv = block_kv;
  config.stages = 2;
  config.half_tiles = false;
  config.q_in_registers = config.head_dim <= 128;
  config.blocks_per_multiprocessor = blocks_per_multiprocessor;
  return config.head_dim <= 64 ? with_third_stage(config, gpu) : config;
}

/// The Config with tiles small enough for the GPU's shared memory.
Config fitted(Config config, const GpuLimits& gpu) {
  while (!valid(config, gpu) && config.blocks_per_multiprocessor > 1)
    --config.blocks_per_multiprocessor;
  while (!valid(config, gpu) && config.block_kv > 32 * config.kv_warps) config.block_kv /= 2;
  while (!valid(config, gpu) && config.kv_warps > 1) {
    config.kv_warps /= 2;
    config.block_kv /= 2;
  }
  return config;
}

/// Blocks for all rows, before their keys are split.
std::int64_t blocks_of(const Problem& problem, const Config& config) {
  return family::q_blocks(problem, block_q(config)) * problem.heads_q * problem.batch;
}

/// What warps need to weigh for each other.
Support valid_sharing(const Config& config) {
  if (config.kv_warps < 2 || config.kv_splits > 1 || config.half_tiles)
    return Support::no(
        "share_weights needs kv_warps above 1, kv_splits 1 and whole tiles, they are {}, {} and {}",
        config.kv_warps, config.kv_splits, config.half_tiles ? "half" : "whole");
  if (config.head_dim % (64 * config.kv_warps) != 0 || config.block_kv % 32 != 0)
    return Support::no(
        "share_weights needs head_dim a multiple of 64 times kv_warps and block_kv of 32, they are "
        "{}, {} and {}",
        config.head_dim, config.kv_warps, config.block_kv);
  return Support::yes();
}

}  // namespace

int register_cap(const Config& config) {
  const int blocks = std::max(1, config.blocks_per_multiprocessor);
  return std::min(255, register_file / (threads(config) * blocks) / 8 * 8);
}

Support valid(const Config& config, const GpuLimits& gpu) {
  if (const Support head = family::valid_head(config.element, config.head_dim); !head) return head;
  if (config.head_dim % 32 != 0)
    return Support::no("head_dim {} is not a multiple of 32", config.head_dim);
  if (config.rows_per_warp != 16 && config.rows_per_warp != 32)
    return Support::no("rows_per_warp {} is neither 16 nor 32", config.rows_per_warp);
  if (config.row_warps < 1 || config.kv_warps < 1 || config.row_warps > 32 ||
      config.kv_warps > 32 || threads(config) > gpu.max_threads_per_block)
    return Support::no("row_warps {} times kv_warps {} is not between 1 and {} warps",
                       config.row_warps, config.kv_warps, gpu.max_threads_per_block / 32);
  if (config.block_kv < 16 || config.block_kv > 1024 ||
      config.block_kv % (16 * config.kv_warps) != 0 || step_kv(config) % 16 != 0)
    return Support::no("block_kv {} is not a multiple of {} times kv_warps {} up to 1024",
                       config.block_kv, config.half_tiles ? 32 : 16, config.kv_warps);
  const int least_stages = config.share_weights ? 1 : 2;
  if (config.stages < least_stages || config.stages > 8)
    return Support::no("stages {} is not in [{}, 8]", config.stages, least_stages);
  if (config.share_weights)
    if (const Support shared = valid_sharing(config); !shared) return shared;
  if (config.blocks_per_multiprocessor < 1 ||
      config.blocks_per_multiprocessor * threads(config) > gpu.max_threads_per_multiprocessor)
    return Support::no("blocks_per_multiprocessor {} of {} threads is not in [1, {}] threads",
                       config.blocks_per_multiprocessor, threads(config),
                       gpu.max_threads_per_multiprocessor);
  if (config.kv_splits < 1 || config.kv_splits > 256)
    return Support::no("kv_splits {} is not in [1, 256]", config.kv_splits);
  if (registers_needed(config) > register_cap(config))
    return Support::no("a thread would hold about {} registers of {}", registers_needed(config),
                       register_cap(config));
  const int shared = layout(config).total;
  if (shared > gpu.shared_bytes_per_block ||
      config.blocks_per_multiprocessor * (shared + system_shared_bytes) >
          gpu.shared_bytes_per_multiprocessor)
    return Support::no(
        "{} blocks of {} bytes of shared memory do not fit a multiprocessor of {}, which has {} "
        "and {} for a block",
        config.blocks_per_multiprocessor, shared, gpu.arch.to_string(),
        gpu.shared_bytes_per_multiprocessor, gpu.shared_bytes_per_block);
  return Support::yes();
}

Config default_for(const Problem& problem, const GpuLimits& gpu) {
  const Config base{.element = family::element_of(problem.dtype),
                    .head_dim = family::head_dim_capacity(problem.head_dim)};
  // A Config with larger tiles does less for the same result, as long as most of the GPU is busy.
  const auto fills = [&](const Config& config) {
    return blocks_of(problem, config) * 4 >=
           std::int64_t{3} * gpu.multiprocessors * config.blocks_per_multiprocessor;
  };
  for (const Config& config : {fitted(throughput(base, gpu), gpu), fitted(medium(base, gpu), gpu),
                               fitted(latency(base, gpu, 32, 2, 128, 2), gpu),
                               fitted(latency(base, gpu, 32, 4, 256, 1), gpu)})
    if (fills(config)) return config;
  Config config = fitted(latency(base, gpu, 16, 4, 128, 1), gpu);
  // Fewer keys for each block than this are not worth the second kernel.
  constexpr std::int64_t least_split = 1024;
  const std::int64_t idle = gpu.multiprocessors / blocks_of(problem, config);
  config.kv_splits = static_cast<int>(
      std::clamp<std::int64_t>(std::min(problem.seq_kv / least_split, idle), 1, 64));
  return config;
}

bool suits(const Config& config, const Problem& problem, const GpuLimits& gpu) {
  const std::int64_t blocks = blocks_of(problem, config) * config.kv_splits;
  const std::int64_t others = config.blocks_per_multiprocessor - 1;
  if (others > 0 && blocks <= others * gpu.multiprocessors) return false;
  // Twice what runs at once: splits make a last, partial wave shorter, too.
  return config.kv_splits == 1 ||
         (blocks <= 2 * std::int64_t{config.blocks_per_multiprocessor} * gpu.multiprocessors &&
          problem.seq_kv >= std::int64_t{config.kv_splits} * config.block_kv);
}

std::vector<Config> all_configs(const Config& like) {
  std::vector<int> split_counts{1, 2, 4, 8, 16};
  if (std::find(split_counts.begin(), split_counts.end(), like.kv_splits) == split_counts.end())
    split_counts.push_back(like.kv_splits);
  std::vector<Config> configs;
  Config config = like;
  for (config.rows_per_warp = 16; config.rows_per_warp <= 32; config.rows_per_warp += 16)
    for (config.row_warps = 1; config.row_warps <= 8; config.row_warps *= 2)
      for (config.kv_warps = 1; config.kv_warps <= 8; config.kv_warps *= 2)
        for (const int warp_keys : {16, 32, 48, 64})
          for (config.stages = 1; config.stages <= 4; ++config.stages)
            for (const int choices : {0, 1, 2, 3, 4, 5})
              for (config.blocks_per_multiprocessor = 1; config.blocks_per_multiprocessor <= 3;
                   ++config.blocks_per_multiprocessor)
                for (const int kv_splits : split_counts) {
                  config.block_kv = warp_keys * config.kv_warps;
                  config.q_in_registers = choices % 2 == 1;
                  config.half_tiles = choices / 2 == 1;
                  config.share_weights = choices / 2 == 2;
                  config.kv_splits = kv_splits;
                  configs.push_back(config);
                }
  return configs;
}

std::vector<Config> shipped_defaults(const GpuLimits& gpu) {
  std::vector<Config> configs;
  for (const Element element : {Element::float16, Element::bfloat16}) {
    for (const int head_dim : {64, 128})
      configs.push_back(throughput({.element = element, .head_dim = head_dim}, gpu));
    configs.push_back(
        fitted(latency({.element = element, .head_dim = 64}, gpu, 32, 4, 256, 1), gpu));
  }
  return configs;
}

}  // namespace flashcore::forward_mma
