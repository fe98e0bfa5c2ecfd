// forward_mma's host side.
#include <algorithm>
#include <array>

#include "core/error.h"
#include "family/families.h"
#include "family/forward_call.h"
#include "family/typed_family.h"
#include "forward_mma/config.h"
#include "forward_mma/defaults.h"
#include "forward_mma/layout.h"
#include "forward_mma/merge_splits.h"
#include "forward_mma/params.h"

namespace flashcore::forward_mma {

namespace {

using core::GpuLimits;
using core::Problem;
using core::Support;

constexpr std::size_t workspace_alignment = 64;

std::size_t aligned(std::size_t bytes) {
  return (bytes + workspace_alignment - 1) / workspace_alignment * workspace_alignment;
}

std::int64_t rows_of(const Problem& problem) {
  return problem.batch * problem.heads_q * problem.seq_q;
}

std::size_t partial_rows_bytes(const Problem& problem, const Config& config) {
  return aligned(static_cast<std::size_t>(config.kv_splits * rows_of(problem)) *
                 sizeof(PartialRow));
}

/// What the kernel that merges splits is compiled for: one serves all other fields.
Config merging(const Config& config) {
  return {.element = config.element, .head_dim = config.head_dim};
}

Params params_of(const Problem& problem, const Config& config) {
  Params params;
  static_cast<device::NarrowParams&>(params) = family::narrow_params(problem, block_q(config));
  params.kv_splits = device::make_divisor(static_cast<unsigned>(config.kv_splits));
  params.rows_of_head = device::make_divisor(static_cast<unsigned>(problem.seq_q));
  params.rows = rows_of(problem);
  return params;
}

class ForwardMmaLaunch final : public family::PreparedLaunch {
 public:
  ForwardMmaLaunch(const Problem& problem, const Config& config)
      : params_(params_of(problem, config)) {
    family::check_grid(problem, block_q(config), config.kv_splits);
    const auto blocks = family::q_blocks(problem, block_q(config)) * config.kv_splits *
                        problem.heads_q * problem.batch;
    shapes_.push_back({.grid = static_cast<unsigned>(blocks),
                       .block = static_cast<unsigned>(threads(config)),
                       .shared_bytes = static_cast<unsigned>(layout(config).total)});
    if (config.kv_splits == 1) return;
    const auto merge_items = rows_of(problem) * chunks(config);
    shapes_.push_back(
        {.grid = static_cast<unsigned>((merge_items + merge_threads - 1) / merge_threads),
         .block = merge_threads});
    partial_out_offset_ = partial_rows_bytes(problem, config);
    workspace_bytes_ =
        partial_out_offset_ +
        aligned(static_cast<std::size_t>(config.kv_splits * rows_of(problem) * problem.head_dim) *
                sizeof(float));
  }

  void launch(std::span<const cuda::Kernel> kernels, const core::Arguments& arguments,
              cuda::StreamHandle stream) const override {
    Params params = params_;
    family::set_narrow_arguments(arguments, params);
    if (shapes_.size() > 1) {
      auto* workspace = static_cast<std::byte*>(arguments.workspace);
      params.g_partial_rows = reinterpret_cast<PartialRow*>(workspace);
      params.g_partial_out = reinterpret_cast<float*>(workspace + partial_out_offset_);
    }
    for (std::size_t i = 0; i < shapes_.size(); ++i) kernels[i].launch(shapes_[i], stream, params);
  }

  [[nodiscard]] std::vector<cuda::LaunchShape> shapes() const override { return shapes_; }
  [[nodiscard]] std::size_t workspace_bytes() const override { return workspace_bytes_; }

 private:
  Params params_;
  std::vector<cuda::LaunchShape> shapes_;
  std::size_t partial_out_offset_ = 0;
  std::size_t workspace_bytes_ = 0;
};

class ForwardMma final : public family::TypedFamily<Config> {
 public:
  [[nodiscard]] std::string_view name() const override { return "forward_mma"; }
  [[nodiscard]] std::string_view summary() const override {
    return "mma.sync in registers, fp16 and bf16, head_dim up to 256: Ampere, Ada and later";
  }

  [[nodiscard]] Support supports(const Problem& problem, const GpuLimits& gpu) const override {
    if (const Support vectors = family::supports_vectors(problem, gpu, name()); !vectors)
      return vectors;
    if (const Support narrow = family::fits_narrow(problem, name()); !narrow) return narrow;
    for (const core::Strides& strides : {problem.q_strides, problem.k_strides, problem.v_strides})
      if (std::abs(strides.seq) >= device::band_limit)
        return Support::no("forward_mma takes seq strides below {} elements, one is {}",
                           device::band_limit, strides.seq);
    return family::fits_grid(problem, block_q(choose_default(problem, gpu)), name());
  }

 protected:
  using TypedFamily::valid;

  [[nodiscard]] Support valid(const Config& config, const GpuLimits& gpu) const override {
    return forward_mma::valid(config, gpu);
  }

  [[nodiscard]] Config choose_default(const Problem& problem, const GpuLimits& gpu) const override {
    return default_for(problem, gpu);
  }

  [[nodiscard]] std::vector<Config> candidates(const Problem& problem,
                                               const GpuLimits& gpu) const override {
    std::vector<Config> configs = all_configs(choose_default(problem, gpu));
    std::erase_if(configs, [&](const Config& config) { return !suits(config, problem, gpu); });
    return configs;
  }

  [[nodiscard]] std::vector<Config> shipped(const GpuLimits& gpu) const override {
    return shipped_defaults(gpu);
  }

  [[nodiscard]] std::vector<jit::KernelSpec> kernels(const Config& config) const override {
    std::vector<jit::KernelSpec> specs{kernel_of(compiled(config))};
    if (config.kv_splits > 1)
      specs.push_back(kernel_of(merging(config), "merge_splits.cuh", "merge_splits"));
    return specs;
  }

  [[nodiscard]] family::ResourceBudget budget(const Config& config) const override {
    return {.registers = register_cap(config),
            .dynamic_shared_bytes = layout(config).total,
            .conflict_free_tiles = true};
  }

  [[nodiscard]] std::unique_ptr<family::PreparedLaunch> launch_of(
      const Problem& problem, const Config& config, const GpuLimits& /*gpu*/) const override {
    return std::make_unique<ForwardMmaLaunch>(problem, config);
  }
};

}  // namespace

}  // namespace flashcore::forward_mma

namespace flashcore::family {

const Family* forward_mma() {
  static const flashcore::forward_mma::ForwardMma family;
  return &family;
}

}  // namespace flashcore::family
