// What each gate asks, in one place: the runners measure against it and the audit holds recorded
// results to it.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "core/problem.h"

namespace flashcore::gate {

inline constexpr int determinism_runs = 3;
inline constexpr int stability_trials = 20;

/// B=1, H=8, S=512, D=64, fp16, no mask.
core::Problem mission_problem();

/// The latency target on a GPU, in microseconds; empty where the Problem has none.
std::optional<double> latency_target_us(const core::Problem& problem);

/// On the CPU: at most PyTorch's time.
inline constexpr double cpu_ratio_target = 1.0;

/// max |o - oracle| on N(0,1) inputs; empty where the contract has no absolute bound for the whole
/// Problem (fp32, fewer than 128 keys, masks that leave some rows fewer).
std::optional<double> absolute_error_limit(const core::Problem& problem);

/// The checks that a gate's answer must contain to mean anything.
std::span<const std::string_view> required_checks(std::string_view gate);

}  // namespace flashcore::gate
