// forward_wmma's host side.
#include "core/error.h"
#include "family/families.h"
#include "family/forward_call.h"
#include "family/typed_family.h"
#include "forward_wmma/config.h"
#include "forward_wmma/layout.h"

namespace flashcore::forward_wmma {

namespace {

using core::GpuLimits;
using core::Problem;
using core::Support;

/// v8's tiles where they fit every GPU's shared memory; smaller ones for the widest heads.
Config default_for(Element element, std::int64_t head_dim) {
  Config config{.element = element, .head_dim = family::head_dim_capacity(head_dim)};
  if (config.head_dim > 192) {
    config.block_q = 32;
    config.warps = 8;
  }
  return config;
}

class ForwardWmma final : public family::TypedFamily<Config> {
 public:
  [[nodiscard]] std::string_view name() const override { return "forward_wmma"; }
  [[nodiscard]] std::string_view summary() const override {
    return "tensor cores through WMMA, scores through shared memory: v8 and the first rungs";
  }

  [[nodiscard]] Support supports(const Problem& problem, const GpuLimits& gpu) const override {
    if (Support vectors = family::supports_vectors(problem, gpu, name()); !vectors) return vectors;
    return family::fits_grid(problem, choose_default(problem, gpu).block_q, name());
  }

 protected:
  using TypedFamily::valid;

  [[nodiscard]] Support valid(const Config& config, const GpuLimits& gpu) const override {
    if (Support head = family::valid_head(config.element, config.head_dim); !head) return head;
    if (config.products != Products::scores && config.products != Products::scores_and_values)
      return Support::no("products {} is neither 0 (scores) nor 1 (scores and values)",
                         static_cast<int>(config.products));
    if (config.block_q < edge || config.block_q % edge != 0 || config.block_q > max_block)
      return Support::no("block_q {} is not a multiple of {} up to {}", config.block_q, edge,
                         max_block);
    if (config.block_kv < edge || config.block_kv % edge != 0 || config.block_kv > max_block)
      return Support::no("block_kv {} is not a multiple of {} up to {}", config.block_kv, edge,
                         max_block);
    if (config.stages < 1 || config.stages > max_stages)
      return Support::no("stages {} is not in [1, {}]", config.stages, max_stages);
    if (config.warps < 1 || threads(config) > gpu.max_threads_per_block)
      return Support::no("warps {} is not in [1, {}]", config.warps,
                         gpu.max_threads_per_block / 32);
    if (threads(config) < 2 * config.block_q)
      return Support::no("warps {} give the softmax fewer than 2 threads for each of {} rows",
                         config.warps, config.block_q);
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
    for (const Products products : {Products::scores_and_values, Products::scores})
      for (const int block_q : {16, 32, 48, 64})
        for (const int block_kv : {16, 32, 48, 64})
          for (const int warps : {4, 8, 12, 16})
            for (const int stages : {1, 2, 3}) {
              config.products = products;
              config.block_q = block_q;
              config.block_kv = block_kv;
              config.warps = warps;
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
  static constexpr int max_block = 128;
  static constexpr int max_stages = 4;
  static constexpr int other_registers = 72;  // addresses, bounds, fragments of the operands

  /// The output, a tile of keys and one of values on their way, and a row's scores.
  static int registers_needed(const Config& config) {
    const int output = config.products == Products::scores ? vectors_per_lane(config)
                                                           : out_fragments_per_warp(config);
    return 8 * output + 2 * 4 * vectors_per_thread(config) + keys_per_lane(config) +
           other_registers;
  }
};

}  // namespace

}  // namespace flashcore::forward_wmma

namespace flashcore::family {

const Family* forward_wmma() {
  static const flashcore::forward_wmma::ForwardWmma family;
  return &family;
}

}  // namespace flashcore::family
