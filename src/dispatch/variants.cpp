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
  };
  return variants;
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

Device device_of(const Variant& variant, int ordinal) {
  return {variant.backend, variant.backend == Backend::cpu ? 0 : ordinal};
}

Pinned pinned_of(const Variant& variant) {
  Pinned pinned{.family = std::string{variant.family}, .config = std::nullopt};
  if (!variant.config.empty()) pinned.config = family::ConfigFields::parse(variant.config);
  return pinned;
}

}  // namespace flashcore::dispatch
