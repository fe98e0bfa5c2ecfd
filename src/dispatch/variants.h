// Variants: named points, a family and perhaps a Config, that the benchmark and the README speak
// of.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dispatch/dispatch.h"

namespace flashcore::dispatch {

struct Variant {
  std::string_view name;  // "v12_baseline"
  Backend backend;
  std::string_view family;   // "forward_scalar"
  std::string_view config;   // fields in which it differs from the family's default Config
  std::string_view summary;  // one line
  double tensor_pipe = 0;    // percent of the cycles, at least, at profile's own shape; 0: none
};

/// A step of the ladder.
struct Rung {
  std::string_view variant;
  double limit = 0;  // at the mission shape, at most so many times SDPA's flash backend; 0: none
};

/// The ladder from its foot up. A rung's variant may be absent from all_variants().
std::span<const Rung> ladder();

/// Null for a variant that is no rung.
const Rung* find_rung(std::string_view variant);

/// In the order of the ladder: "cpu", then the GPU variants, slowest first.
std::span<const Variant> all_variants();

/// Null where there is none of that name.
const Variant* find_variant(std::string_view name);

/// Whether this machine can run it, and why not.
core::Support runs_here(const Variant& variant);

/// The same for a device: the emulator runs every variant of a GPU.
core::Support runs_on(const Variant& variant, const Device& device);

/// A plan for the variant on its backend (GPU `ordinal`).
Device device_of(const Variant& variant, int ordinal);
Pinned pinned_of(const Variant& variant);

}  // namespace flashcore::dispatch
