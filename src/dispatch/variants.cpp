#include "dispatch/variants.h"

#include <algorithm>
#include <array>

#include "cpu/backend.h"
#include "cuda/driver.h"

namespace flashcore::dispatch {

std::span<const Variant> all_variants() {
  static constexpr std::array variants{
      Variant{.name = "cpu",
              .backend = Backend::cpu,
              .family = cpu::family_name,
              .config = "",
              .summary = "blocked attention with SIMD on the CPU"},
      Variant{.name = "v12_baseline",
              .backend = Backend::cuda,
              .family = "forward_scalar",
              .config = "",
              .summary = "ordinary arithmetic: where the ladder starts"},
      Variant{.name = "phase_2a",
              .backend = Backend::cuda,
              .family = "forward_wmma",
              .config = "products=0,block_q=16,block_kv=16,warps=4,stages=1",
              .summary = "tensor cores for Q.K, through WMMA"},
      Variant{.name = "phase_2b",
              .backend = Backend::cuda,
              .family = "forward_wmma",
              .config = "products=1,block_q=16,block_kv=16,warps=4,stages=1",
              .summary = "tensor cores for P.V too"},
      Variant{.name = "v8_dynamic",
              .backend = Backend::cuda,
              .family = "forward_wmma",
              .config = "",
              .summary = "48 x 32 tiles, 12 warps, the next tile loaded behind the products"},
      Variant{.name = "phase_2c",
              .backend = Backend::cuda,
              .family = "forward_cp_async",
              .config = "block_kv=64,key_groups=2,producer_warps=0,stages=2",
              .summary = "asynchronous copies, and a softmax of its own for each warp"},
      Variant{.name = "phase_2d",
              .backend = Backend::cuda,
              .family = "forward_cp_async",
              .config = "",
              .summary = "producer and consumer warps, no barrier of the block between tiles"},
      Variant{.name = "phase_2e",
              .backend = Backend::cuda,
              .family = "forward_mma",
              .config = "",
              .summary = "mma.sync with scores, probabilities and output in registers",
              .tensor_pipe = 50},
      Variant{.name = "phase_3a",
              .backend = Backend::cuda,
              .family = "forward_tma_wgmma",
              .config = "",
              .summary = "Hopper's tensor copies and warpgroup products",
              .tensor_pipe = 75},
  };
  return variants;
}

std::span<const Rung> ladder() {
  static constexpr std::array rungs{
      Rung{.variant = "v12_baseline"},           Rung{.variant = "phase_2a", .limit = 14},
      Rung{.variant = "phase_2b", .limit = 7},   Rung{.variant = "v8_dynamic", .limit = 3.5},
      Rung{.variant = "phase_2c", .limit = 2.8}, Rung{.variant = "phase_2d", .limit = 1.4},
      Rung{.variant = "phase_2e", .limit = 0.7},
  };
  return rungs;
}

const Rung* find_rung(std::string_view variant) {
  const auto rungs = ladder();
  const auto found = std::find_if(rungs.begin(), rungs.end(),
                                  [&](const Rung& rung) { return rung.variant == variant; });
  return found == rungs.end() ? nullptr : &*found;
}

const Variant* find_variant(std::string_view name) {
  const auto variants = all_variants();
  const auto found = std::find_if(variants.begin(), variants.end(),
                                  [&](const Variant& variant) { return variant.name == name; });
  return found == variants.end() ? nullptr : &*found;
}

core::Support runs_here(const Variant& variant) {
  if (variant.backend == Backend::cpu) return core::Support::yes();
  if (!cuda::driver_available()) return core::Support::no("{}", cuda::driver_unavailable_reason());
  if (cuda::device_count() == 0) return core::Support::no("the driver finds no GPU");
  return core::Support::yes();
}

core::Support runs_on(const Variant& variant, const Device& device) {
  if (device.backend != Backend::emulator) return runs_here(variant);
  if (variant.backend != Backend::cuda)
    return core::Support::no("{} has no GPU kernel to emulate", variant.name);
  return core::Support::yes();
}

Device device_of(const Variant& variant, int ordinal) {
  return {.backend = variant.backend, .ordinal = variant.backend == Backend::cpu ? 0 : ordinal};
}

Pinned pinned_of(const Variant& variant) {
  Pinned pinned{.family = std::string{variant.family}, .config = std::nullopt};
  if (!variant.config.empty()) pinned.config = family::ConfigFields::parse(variant.config);
  return pinned;
}

}  // namespace flashcore::dispatch
