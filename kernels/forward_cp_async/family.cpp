// forward_cp_async's host side.
#include "core/error.h"
#include "family/families.h"
#include "family/forward_call.h"
#include "family/typed_family.h"
#include "forward_cp_async/config.h"
#include "forward_cp_async/layout.h"

namespace flashcore::forward_cp_async {

namespace {

using core::GpuLimits;
using core::Problem;
using core::Support;

/// Few tiles of many keys; fewer keys where wide heads would fill the shared memory of sm_86.
Config default_for(Element element, std::int64_t head_dim) {
  Config config{.element = element, .head_dim = family::head_dim_capacity(head_dim)};
  if (config.head_dim > 64) config.block_kv = 64;
  if (config.head_dim > 128) {
    config.block_kv = 32;
    config.key_groups = 2;
  }
  return config;
}

class ForwardCpAsync final : public family::TypedFamily<Config> {
 public:
  [[nodiscard]] std::string_view name() const override { return "forward_cp_async"; }
  [[nodiscard]] std::string_view summary() const override {
    return "WMMA behind asynchronous copies, keys shared out between warps";
  }

  [[nodiscard]] Support supports(const Problem& problem, const GpuLimits& gpu) const override {
    if (Support vectors = family::supports_vectors(problem, gpu, name()); !vectors) return vectors;
    return family::fits_grid(problem, choose_default(problem, gpu).block_q, name());
  }

 protected:
  using TypedFamily::valid;

  [[nodiscard]] Support valid(const Config& config, const GpuLimits& gpu) const override {
    if (Support head = family::valid_head(config.element, config.head_dim); !head) return head;
    if (config.block_q < edge || config.block_q % edge != 0 || config.block_q > max_block_q)
      return Support::no("block_q {} is not a multiple of {} up to {}", config.block_q, edge,
                         max_block_q);
    if (config.key_groups < 1 || config.key_groups > max_key_groups)
      return Support::no("key_groups {} is not in [1, {}]", config.key_groups, max_key_groups);
    if (config.block_kv < 1 || config.block_kv % (edge * config.key_groups) != 0 ||
        config.block_kv > max_block_kv)
      return Support::no("block_kv {} is not a multiple of {} times key_groups {} up to {}",
                         config.block_kv, edge, config.key_groups, max_block_kv);
    if (group_keys(config) > max_group_keys)
      return Support::no(
          "block_kv {} over key_groups {} gives a warp {} keys of a tile, at most {}",
          config.block_kv, config.key_groups, group_keys(config), max_group_keys);
    if (config.stages < 2 || config.stages > max_stages)
      return Support::no("stages {} is not in [2, {}]", config.stages, max_stages);
    if (config.producer_warps < 0 || threads(config) > gpu.max_threads_per_block)
      return Support::no("block_q {}, key_groups {} and producer_warps {} make {} threads of {}",
                         config.block_q, config.key_groups, config.producer_warps, threads(config),
                         gpu.max_threads_per_block);
    if (registers_needed(config) > family::registers_per_thread(threads(config), gpu))
      return Support::no("a thread would hold about {} registers of {}", registers_needed(config),
                         family::registers_per_thread(threads(config), gpu));
    return family::fits_shared_memory(layout(config).total, gpu);
  }

  [[nodiscard]] Config choose_default(const Problem& problem,
                                      const GpuLimits& /*gpu*/) const override {
    return default_for(family::element_of(problem.dtype), problem.head_dim);
  }

  [[nodiscard]] std::vector<Config> candidates(const Problem& problem,
                                               const GpuLimits& gpu) const override {
    std::vector<Config> configs;
    Config config = choose_default(problem, gpu);
    for (const int block_q : {16, 32, 48, 64})
      for (const int block_kv : {32, 48, 64, 96, 128, 256})
        for (const int key_groups : {1, 2, 3, 4, 8})
          for (const int producer_warps : {0, 1, 2, 4})
            for (const int stages : {2, 3, 4}) {
              config.block_q = block_q;
              config.block_kv = block_kv;
              config.key_groups = key_groups;
              config.producer_warps = producer_warps;
              config.stages = stages;
              configs.push_back(config);
            }
    return configs;
  }

  /// None: a rung to read and to measure by, which no call is served by unless it is asked for.
  [[nodiscard]] std::vector<Config> shipped(const GpuLimits& /*gpu*/) const override { return {}; }

  [[nodiscard]] std::vector<jit::KernelSpec> kernels(const Config& config) const override {
    return {kernel_of(config)};
  }

  [[nodiscard]] family::ResourceBudget budget(const Config& config) const override {
    return {.registers = family::registers_per_thread(threads(config), core::GpuLimits{}),
            .dynamic_shared_bytes = layout(config).total};
  }

  [[nodiscard]] std::unique_ptr<family::PreparedLaunch> launch_of(
      const Problem& problem, const Config& config, const GpuLimits& /*gpu*/) const override {
    return std::make_unique<family::ForwardLaunch>(problem, config.block_q, threads(config),
                                                   layout(config).total);
  }

 private:
  static constexpr int max_block_q = 128;
  static constexpr int max_block_kv = 256;
  static constexpr int max_key_groups = 8;
  static constexpr int max_group_keys = 96;  // whose scores a warp holds in registers
  static constexpr int max_stages = 4;

  /// What ptxas needs to spill nothing, as compiling the space has shown: the output and what moves
  /// past it, a warp's scores and probabilities, and the rest.
  static int registers_needed(const Config& config) {
    return config.head_dim * 5 / 8 + group_keys(config) * 9 / 8 + 70;
  }
};

}  // namespace

}  // namespace flashcore::forward_cp_async

namespace flashcore::family {

const Family* forward_cp_async() {
  static const flashcore::forward_cp_async::ForwardCpAsync family;
  return &family;
}

}  // namespace flashcore::family
