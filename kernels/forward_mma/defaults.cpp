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

/// Registers that a thread needs: its parts of the output, of Q, of the scores, and of the weights
/// that wait for their values.
int registers_needed(const Config& config) {
  const int rows = config.rows_per_warp;
  const int score_sets = config.half_tiles ? 2 : 1;
  const int scores = rows * step_kv(config) / 32 * score_sets;
  const int q = config.q_in_registers ? rows * config.head_dim / 64 : rows / 4;
  return rows * config.head_dim / 32 + q + scores + scores / 2 + other_registers;
}

/// The Config that a GPU runs fastest which has enough query tiles.
Config throughput(Config config, const GpuLimits& gpu) {
  // Ada and the small Amperes multiply at half the rate per multiprocessor, so reading K and V for
  // 16 rows at a time keeps up, and 99 KiB have to do.
  const bool small = gpu.shared_bytes_per_block < 128 * 1024;
  config.stages = 2;
  config.kv_warps = 1;
  config.half_tiles = config.head_dim <= 64;
  config.q_in_registers = config.head_dim <= 64;
  if (config.head_dim <= 64 || (config.head_dim <= 128 && !small)) {
    config.rows_per_warp = 32;
    config.row_warps = 4;
    config.block_kv = config.head_dim <= 64 ? 64 : 48;
    config.blocks_per_multiprocessor = 2;
  } else {
    config.rows_per_warp = 16;
    config.row_warps = small && config.head_dim > 192 ? 4 : 8;
    config.block_kv = small && config.head_dim > 128 ? 32 : 64;
    config.blocks_per_multiprocessor = 1;
  }
  return config;
}

/// Half the query rows of a block, each tile's keys dealt to two groups of warps.
Config medium(Config config, const GpuLimits& gpu) {
  config = throughput(config, gpu);
  config.row_warps /= 2;
  config.kv_warps = 2;
  config.block_kv *= 2;
  return config;
}

/// A block of 16 or 32 query rows: what their number does not give in blocks, kv_warps give in
/// warps.
Config latency(Config config, int rows, int kv_warps, int block_kv, int blocks_per_multiprocessor) {
  config.rows_per_warp = 16;
  config.row_warps = rows / 16;
  config.kv_warps = kv_warps;
  config.block_kv = block_kv;
  config.stages = 2;
  config.half_tiles = false;
  config.q_in_registers = config.head_dim <= 128;
  config.blocks_per_multiprocessor = blocks_per_multiprocessor;
  return config;
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
  if (config.stages < 2 || config.stages > 8)
    return Support::no("stages {} is not in [2, 8]", config.stages);
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
  const auto blocks = [&](int rows) {
    return family::q_blocks(problem, rows) * problem.heads_q * problem.batch;
  };
  // A Config with larger tiles does less for the same result, as long as most of the GPU is busy.
  const auto fills = [&](const Config& config) {
    return blocks(block_q(config)) * 4 >=
           std::int64_t{3} * gpu.multiprocessors * config.blocks_per_multiprocessor;
  };
  for (const Config& config :
       {fitted(throughput(base, gpu), gpu), fitted(medium(base, gpu), gpu),
        fitted(latency(base, 32, 2, 128, 2), gpu), fitted(latency(base, 32, 4, 256, 1), gpu)})
    if (fills(config)) return config;
  Config config = fitted(latency(base, 16, 4, 128, 1), gpu);
  // Fewer keys for each block than this are not worth the second kernel.
  constexpr std::int64_t least_split = 1024;
  const std::int64_t idle = gpu.multiprocessors / blocks(block_q(config));
  config.kv_splits = static_cast<int>(
      std::clamp<std::int64_t>(std::min(problem.seq_kv / least_split, idle), 1, 64));
  return config;
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
          for (config.stages = 2; config.stages <= 4; ++config.stages)
            for (const int choices : {0, 1, 2, 3})
              for (config.blocks_per_multiprocessor = 1; config.blocks_per_multiprocessor <= 3;
                   ++config.blocks_per_multiprocessor)
                for (const int kv_splits : split_counts) {
                  config.block_kv = warp_keys * config.kv_warps;
                  config.q_in_registers = choices % 2 == 1;
                  config.half_tiles = choices / 2 == 1;
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
    configs.push_back(fitted(latency({.element = element, .head_dim = 64}, 32, 4, 256, 1), gpu));
  }
  return configs;
}

}  // namespace flashcore::forward_mma
