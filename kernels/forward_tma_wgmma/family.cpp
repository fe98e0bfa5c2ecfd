// forward_tma_wgmma's host side.
#include <algorithm>

#include "core/error.h"
#include "cuda/tensor_map.h"
#include "family/families.h"
#include "family/forward_call.h"
#include "family/typed_family.h"
#include "forward_tma_wgmma/config.h"
#include "forward_tma_wgmma/defaults.h"
#include "forward_tma_wgmma/grid.h"
#include "forward_tma_wgmma/layout.h"
#include "forward_tma_wgmma/params.h"

namespace flashcore::forward_tma_wgmma {

namespace {

using core::GpuLimits;
using core::Problem;
using core::Support;

constexpr core::Arch sm_90a{9, 0, true};
constexpr std::uint32_t box_columns = 64;

/// A dimension of a tensor, in elements, and how many of it a copy's box has.
struct Dimension {
  std::int64_t size, stride;
  int box;
};

/// A call's tensor in boxes of 64 columns by y by z.
cuda::TensorBox tensor_box(const Problem& problem, const Dimension& y, const Dimension& z,
                           std::int64_t batch_stride) {
  const auto bytes = [](std::int64_t elements) { return static_cast<std::uint64_t>(elements) * 2; };
  // A dimension of no elements is not taken: one that no copy reaches stands for it.
  const auto count = [](std::int64_t elements) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(elements, 1));
  };
  return {
      .element = family::element_of(problem.dtype),
      .dims = {count(problem.head_dim), count(y.size), count(z.size), count(problem.batch)},
      .strides_bytes = {bytes(y.stride), bytes(z.stride), bytes(batch_stride)},
      .box = {box_columns, static_cast<std::uint32_t>(y.box), static_cast<std::uint32_t>(z.box), 1},
      .swizzle = cuda::Swizzle::bytes_128};
}

cuda::TensorBox q_box(const Problem& problem, int heads) {
  const core::Strides& strides = problem.q_strides;
  return tensor_box(problem, {problem.heads_q, strides.head, heads},
                    {problem.seq_q, strides.seq, warpgroup_rows / heads}, strides.batch);
}

cuda::TensorBox kv_box(const Problem& problem, const core::Strides& strides, int block_kv) {
  return tensor_box(problem, {problem.seq_kv, strides.seq, block_kv},
                    {problem.heads_kv, strides.head, 1}, strides.batch);
}

class Launch final : public family::PreparedLaunch {
 public:
  Launch(const Problem& problem, const Config& config, const GpuLimits& gpu)
      : params_(params_of(problem, config, gpu)),
        q_(q_box(problem, 1 << params_.tile_heads_log2)),
        k_(kv_box(problem, problem.k_strides, config.block_kv)),
        v_(kv_box(problem, problem.v_strides, config.block_kv)),
        shape_{.grid = params_.blocks * static_cast<unsigned>(config.kv_splits),
               .block = static_cast<unsigned>(threads(config)),
               .cluster = static_cast<unsigned>(config.kv_splits),
               .shared_bytes = static_cast<unsigned>(layout(config).total)} {}

  void launch(std::span<const cuda::Kernel> kernels, const core::Arguments& arguments,
              cuda::StreamHandle stream) const override {
    const cuda::Kernel& kernel = kernels[0];
    DealtParams params = params_;
    family::set_narrow_arguments(arguments, params);
    params.q_map = kernel.tensor_map(q_, arguments.q);
    // Without keys there may be no tensors; nothing is read then.
    const bool no_keys = params.seq_kv == 0;
    params.k_map = kernel.tensor_map(k_, no_keys ? arguments.q : arguments.k);
    params.v_map = kernel.tensor_map(v_, no_keys ? arguments.q : arguments.v);
    cuda::LaunchShape shape = shape_;
    shape.overlap = arguments.overlap;
    kernel.launch(shape, stream, params);
  }

  [[nodiscard]] std::vector<cuda::LaunchShape> shapes() const override { return {shape_}; }

 private:
  DealtParams params_;
  cuda::TensorBox q_, k_, v_;
  cuda::LaunchShape shape_;
};

/// Why the copy engine cannot take a tensor of these strides, unless it can.
Support copyable(std::string_view what, const core::Strides& strides) {
  for (const std::int64_t stride : {strides.batch, strides.head, strides.seq})
    if (stride < 0 || stride % 8 != 0 || stride >= std::int64_t{1} << 39)
      return Support::no(
          "{}: the copy engine takes strides that are multiples of 8 elements in "
          "[0, 2^39), one is {}",
          what, stride);
  return Support::yes();
}

/// What a consumer's thread holds; the last terms are from ptxas's report.
int registers_needed(const Config& config) {
  const int weights = config.block_kv / 4;
  const int all = config.head_dim / 2 + config.block_kv / 2 + weights;  // output, scores, weights
  // A first tile's exponents lie beside its scores, from which it may have to be weighed again.
  if (config.consumers == 1) return all + config.block_kv / 2 + 24;
  if (overlaps_output(config)) return all + weights + 24;
  const int q = q_in_registers(config) ? 4 * dot_steps(config) : 0;
  return all + q + config.head_dim / 8 + (config.q_stages > 1 ? 40 : 24);
}

/// The Configs of these tiles and stages.
void add_candidates(Config config, const Problem& problem, const GpuLimits& gpu,
                    std::vector<Config>& configs) {
  config.kv_splits = 1;
  for (config.consumers = 1; config.consumers <= 4; ++config.consumers) {
    config.persistent = 1;
    for (config.q_stages = 1; config.q_stages <= 2; ++config.q_stages) configs.push_back(config);
    config.q_stages = 1;  // a block with one task needs no more
    config.persistent = 0;
    if (few_rounds(tasks_of(problem, config), gpu)) configs.push_back(config);
  }
  config.persistent = 1;
  if (config.block_kv != 64 && config.block_kv != 128) return;
  for (config.consumers = 1; config.consumers <= 2; ++config.consumers)
    for (config.kv_splits = 2; config.kv_splits <= 8; config.kv_splits *= 2)
      configs.push_back(config);
}

class ForwardTmaWgmma final : public family::TypedFamily<Config> {
 public:
  [[nodiscard]] std::string_view name() const override { return "forward_tma_wgmma"; }
  [[nodiscard]] std::string_view summary() const override {
    return "tensor copies and warpgroup products, fp16 and bf16, head_dim up to 256: Hopper";
  }
  [[nodiscard]] std::vector<core::Arch> archs() const override { return {sm_90a}; }

  [[nodiscard]] Support supports(const Problem& problem, const GpuLimits& gpu) const override {
    if (const Support hopper = needs_hopper(gpu); !hopper) return hopper;
    if (const Support vectors = family::supports_vectors(problem, gpu, name()); !vectors)
      return vectors;
    if (const Support narrow = family::fits_narrow(problem, name()); !narrow) return narrow;
    for (const auto& [what, strides] :
         {std::pair{"q", problem.q_strides}, std::pair{"k", problem.k_strides},
          std::pair{"v", problem.v_strides}})
      if (const Support copies = copyable(what, strides); !copies) return copies;
    return family::fits_grid(problem, block_q(default_for(problem, gpu)), name());
  }

  /// forward_mma deals keys out finer (README.md has the measurements).
  [[nodiscard]] Support prefers(const Problem& problem, const GpuLimits& gpu) const override {
    const Config config = default_for(problem, gpu);
    const std::int64_t blocks = tasks_of_warpgroups(problem, config) * config.kv_splits;
    if (blocks * 4 >= gpu.multiprocessors || problem.seq_kv < 16384) return Support::yes();
    return Support::no("{} would use {} of {} multiprocessors for {} queries over {} keys", name(),
                       blocks, gpu.multiprocessors, problem.seq_q, problem.seq_kv);
  }

 protected:
  using TypedFamily::valid;

  [[nodiscard]] Support valid(const Config& config, const GpuLimits& gpu) const override {
    if (const Support hopper = needs_hopper(gpu); !hopper) return hopper;
    if (config.head_dim != capacity(config.head_dim))
      return Support::no("head_dim {} is none of 64, 128 and 256", config.head_dim);
    if (config.consumers < 1 || config.consumers > 4)
      return Support::no("consumers {} is not in [1, 4]", config.consumers);
    if (config.block_kv != 64 && config.block_kv != 96 && config.block_kv != 128 &&
        config.block_kv != 192)
      return Support::no("block_kv {} is none of 64, 96, 128 and 192", config.block_kv);
    if (config.stages < 1 || config.stages > 8)
      return Support::no("stages {} is not in [1, 8]", config.stages);
    if (config.kv_splits != 1 && config.kv_splits != 2 && config.kv_splits != 4 &&
        config.kv_splits != 8)
      return Support::no("kv_splits {} is none of 1, 2, 4 and 8", config.kv_splits);
    if (config.q_stages < 1 || config.q_stages > 2)
      return Support::no("q_stages {} is not in [1, 2]", config.q_stages);
    if (config.pack_heads != 0 && config.pack_heads != 1)
      return Support::no("pack_heads {} is neither 0 nor 1", config.pack_heads);
    if (config.overlap_output != 0 && config.overlap_output != 1)
      return Support::no("overlap_output {} is neither 0 nor 1", config.overlap_output);
    if (config.persistent != 0 && config.persistent != 1)
      return Support::no("persistent {} is neither 0 nor 1", config.persistent);
    const int registers = registers_needed(config);
    if (registers > consumer_registers(config))
      return Support::no("a thread would hold about {} registers of {}", registers,
                         consumer_registers(config));
    return family::fits_shared_memory(layout(config).total, gpu);
  }

  [[nodiscard]] Config choose_default(const Problem& problem, const GpuLimits& gpu) const override {
    return default_for(problem, gpu);
  }

  [[nodiscard]] std::vector<Config> candidates(const Problem& problem,
                                               const GpuLimits& gpu) const override {
    std::vector<Config> configs;
    Config config = choose_default(problem, gpu);
    const int most_packed = problem.group_size() > 1 || config.pack_heads != 0 ? 1 : 0;
    for (config.pack_heads = 0; config.pack_heads <= most_packed; ++config.pack_heads)
      for (config.overlap_output = 0; config.overlap_output <= 1; ++config.overlap_output)
        for (const int block_kv : {64, 96, 128, 192})
          for (config.stages = 1; config.stages <= 4; ++config.stages) {
            config.block_kv = block_kv;
            add_candidates(config, problem, gpu, configs);
          }
    return configs;
  }

  [[nodiscard]] std::vector<Config> shipped(const GpuLimits& gpu) const override {
    if (!needs_hopper(gpu)) return {};
    return all_defaults();
  }

  [[nodiscard]] std::vector<jit::KernelSpec> kernels(const Config& config) const override {
    return {kernel_of(config)};
  }

  [[nodiscard]] family::ResourceBudget budget(const Config& config) const override {
    // As ptxas counts, before the warpgroups divide the file.
    return {.registers = family::registers_per_thread(threads(config), core::limits_of(sm_90a)),
            .dynamic_shared_bytes = layout(config).total,
            .conflict_free_tiles = true};
  }

  [[nodiscard]] std::unique_ptr<family::PreparedLaunch> launch_of(
      const Problem& problem, const Config& config, const GpuLimits& gpu) const override {
    return std::make_unique<Launch>(problem, config, gpu);
  }

 private:
  [[nodiscard]] Support needs_hopper(const GpuLimits& gpu) const {
    if (gpu.arch == sm_90a) return Support::yes();
    return Support::no("{} needs {}, the GPU is {}", name(), sm_90a.to_string(),
                       gpu.arch.to_string());
  }
};

}  // namespace

}  // namespace flashcore::forward_tma_wgmma

namespace flashcore::family {

const Family* forward_tma_wgmma() {
  static const flashcore::forward_tma_wgmma::ForwardTmaWgmma family;
  return &family;
}

}  // namespace flashcore::family
