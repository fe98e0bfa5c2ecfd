// forward_scalar's host side.
#include <algorithm>
#include <array>

#include "core/error.h"
#include "family/families.h"
#include "family/forward_call.h"
#include "family/typed_family.h"
#include "forward_scalar/config.h"
#include "forward_scalar/layout.h"
#include "forward_scalar/params.h"

namespace flashcore::forward_scalar {

namespace {

using core::GpuLimits;
using core::Problem;
using core::Support;

constexpr std::array head_dim_capacities{32, 64, 128, 256};

/// The default: the smallest capacity that holds head_dim, in slices of 8 elements where a warp is
/// wide enough for that.
Config default_for(Element element, std::int64_t head_dim) {
  for (const int capacity : head_dim_capacities)
    if (head_dim <= capacity)
      return {
          .element = element, .head_dim = capacity, .threads_per_row = std::max(8, capacity / 8)};
  core::fail(core::Status::internal, "forward_scalar: no capacity for head_dim {}", head_dim);
}

class ForwardScalar final : public family::TypedFamily<Config> {
 public:
  [[nodiscard]] std::string_view name() const override { return "forward_scalar"; }
  [[nodiscard]] std::string_view summary() const override {
    return "ordinary arithmetic, fp16 and bf16, head_dim up to 256: the baseline";
  }

  [[nodiscard]] Support supports(const Problem& problem, const GpuLimits& gpu) const override {
    if (gpu.arch.number() < 80)
      return Support::no("forward_scalar needs sm_80 or newer, the GPU is {}",
                         gpu.arch.to_string());
    if (problem.dtype == core::Dtype::float32)
      return Support::no("forward_scalar computes fp16 and bf16, the tensors are fp32");
    if (problem.head_dim > head_dim_capacities.back())
      return Support::no("forward_scalar takes head_dim up to {}, head_dim is {}",
                         head_dim_capacities.back(), problem.head_dim);
    return family::fits_grid(problem, choose_default(problem, gpu).block_q, name());
  }

 protected:
  using TypedFamily::valid;

  [[nodiscard]] Support valid(const Config& config, const GpuLimits& gpu) const override {
    if (config.element != Element::float16 && config.element != Element::bfloat16)
      return Support::no("element {} is neither 0 (fp16) nor 1 (bf16)",
                         static_cast<int>(config.element));
    if (config.head_dim < vector || config.head_dim > head_dim_capacities.back())
      return Support::no("head_dim {} is not in [{}, {}]", config.head_dim, vector,
                         head_dim_capacities.back());
    if (config.threads_per_row < 1 || config.threads_per_row > 32 ||
        (config.threads_per_row & (config.threads_per_row - 1)) != 0)
      return Support::no("threads_per_row {} is not a power of two up to 32",
                         config.threads_per_row);
    if (config.head_dim % (vector * config.threads_per_row) != 0)
      return Support::no("head_dim {} is not a multiple of {} times threads_per_row {}",
                         config.head_dim, vector, config.threads_per_row);
    if (config.block_q < 1 || config.block_q > gpu.max_threads_per_block ||
        threads(config) % 32 != 0 || threads(config) > gpu.max_threads_per_block)
      return Support::no("block_q {} times threads_per_row {} is not a multiple of 32 up to {}",
                         config.block_q, config.threads_per_row, gpu.max_threads_per_block);
    if (config.block_kv < 1 || config.block_kv > max_block_kv)
      return Support::no("block_kv {} is not in [1, {}]", config.block_kv, max_block_kv);
    if (config.keys_per_step < 1 || config.block_kv % config.keys_per_step != 0)
      return Support::no("block_kv {} is not a multiple of keys_per_step {}", config.block_kv,
                         config.keys_per_step);
    if (budget(config).registers > family::registers_per_thread(threads(config), gpu))
      return Support::no("a thread would hold about {} registers of {}", budget(config).registers,
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
    for (config.block_q = 4; config.block_q <= 256; config.block_q *= 2)
      for (config.threads_per_row = 1; config.threads_per_row <= 32; config.threads_per_row *= 2)
        for (config.block_kv = 8; config.block_kv <= max_block_kv; config.block_kv *= 2)
          for (config.keys_per_step = 1; config.keys_per_step <= 16; config.keys_per_step *= 2)
            configs.push_back(config);
    return configs;
  }

  [[nodiscard]] std::vector<Config> shipped(const GpuLimits& /*gpu*/) const override {
    std::vector<Config> configs;
    for (const Element element : {Element::float16, Element::bfloat16})
      for (const int capacity : head_dim_capacities)
        configs.push_back(default_for(element, capacity));
    return configs;
  }

  [[nodiscard]] std::vector<jit::KernelSpec> kernels(const Config& config) const override {
    return {kernel_of(config)};
  }

  [[nodiscard]] family::ResourceBudget budget(const Config& config) const override {
    return {.registers = 2 * slice(config) + config.keys_per_step + other_registers,
            .dynamic_shared_bytes = layout(config).total};
  }

  [[nodiscard]] std::unique_ptr<family::PreparedLaunch> launch_of(
      const Problem& problem, const Config& config, const GpuLimits& /*gpu*/) const override {
    return std::make_unique<family::ForwardLaunch>(problem, config.block_q, threads(config),
                                                   layout(config).total);
  }

 private:
  static constexpr int max_block_kv = 64;
  static constexpr int other_registers = 80;
};

}  // namespace

}  // namespace flashcore::forward_scalar

namespace flashcore::family {

const Family* forward_scalar() {
  static const flashcore::forward_scalar::ForwardScalar family;
  return &family;
}

}  // namespace flashcore::family
