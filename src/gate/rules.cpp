#include "gate/rules.h"

#include <array>
#include <cmath>

#include "gate/accuracy.h"
#include "gate/gate.h"

namespace flashcore::gate {

using core::Dtype;
using core::Problem;

Problem mission_problem() {
  return core::contiguous_problem(Dtype::float16, 1, 8, 8, 512, 512, 64);
}

std::optional<double> latency_target_us(const Problem& problem) {
  if (problem == mission_problem()) return 28.0;
  return std::nullopt;
}

std::optional<double> absolute_error_limit(const Problem& problem) {
  if (problem.mask != core::Mask{} || problem.seq_kv < 128) return std::nullopt;
  const double bound = absolute_bound(problem.dtype);
  if (!std::isfinite(bound)) return std::nullopt;
  return bound;
}

std::span<const std::string_view> required_checks(std::string_view gate) {
  static constexpr std::array<std::string_view, 4> ptxas{
      "registers_over_budget", "spill_bytes", "stack_bytes", "archs_with_serialized_products"};
  static constexpr std::array<std::string_view, 1> correctness{"incorrect_calls"};
  static constexpr std::array<std::string_view, 2> determinism{"missing_runs", "differing_hashes"};
  static constexpr std::array<std::string_view, 2> stability{"missing_trials", "incorrect_trials"};
  static constexpr std::array<std::string_view, 4> safety{
      "guard_bytes_changed", "input_bytes_changed", "padding_bytes_changed", "spread_of_nan"};
  static constexpr std::array<std::string_view, 2> latency{"incorrect_timed_outputs",
                                                           "roofline_fraction"};
  static constexpr std::array<std::string_view, 1> ladder{"multiple_of_flash"};
  static constexpr std::array<std::string_view, 1> conflicts{"turns_over_least"};
  if (gate == "ptxas") return ptxas;
  if (gate == "correctness") return correctness;
  if (gate == "determinism") return determinism;
  if (gate == "stability") return stability;
  if (gate == "safety") return safety;
  if (gate == "latency") return latency;
  if (gate == ladder_gate) return ladder;
  if (gate == conflict_gate) return conflicts;
  return {};
}

}  // namespace flashcore::gate
