// A variant under the profiler: what was measured, the gates that follow from it, the record.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/problem.h"
#include "dispatch/variants.h"
#include "gate/audit.h"
#include "gate/gate.h"
#include "profile/metrics.h"

namespace flashcore::profile {

/// B=4, H=16, S=4096, D=128, fp16, no mask: where the gates are judged.
core::Problem profile_problem();

/// A kernel as profiled: of its launches the one of median duration.
struct KernelProfile {
  std::string name, grid, block;
  std::map<std::string, std::optional<double>> figures;  // by Figure::key
  std::vector<std::pair<std::string, double>> stalls;    // reason, warps waiting per instruction
};

struct OtherKernel {
  std::string name;
  double duration_us = 0;
};

struct ProfileRecord {
  std::string variant, family;
  core::Problem problem;
  std::string not_measured;                // why there are no counters; empty where there are
  std::optional<KernelProfile> kernel;     // the longest
  std::vector<OtherKernel> others;         // what else a call launches
  std::vector<std::string> not_available;  // metrics that this ncu or GPU does not know
  std::map<std::string, gate::GateResult> gates;
};

/// The hidden command that ncu runs: three calls on random inputs after one that is not measured.
std::vector<std::string> target_command(const dispatch::Variant& variant,
                                        const core::Problem& problem);
/// What that command does, in its own process.
void run_target(const dispatch::Variant& variant, const core::Problem& problem);

/// Never throws for what ncu, the driver or the variant do: the record says it.
ProfileRecord run_profile(const dispatch::Variant& variant, const core::Problem& problem,
                          const std::vector<std::string>& target,
                          std::chrono::duration<double> limit);

/// Sorts samples into the main kernel and the others. Throws internal for no samples.
void take_samples(const std::vector<KernelSample>& samples, ProfileRecord& record);

/// tensor_pipe (at least what the variant declares), warp_efficiency (at least 95%),
/// local_memory (none), from the record's figures.
std::map<std::string, gate::GateResult> judge_profile(const ProfileRecord& record);

nlohmann::json profile_to_json(const ProfileRecord& record);
ProfileRecord profile_from_json(const nlohmann::json& json, const std::string& path);

/// Whether a document holds profiles, not cases of the benchmark.
bool holds_profiles(const nlohmann::json& document);
/// Throws invalid_argument naming file and place.
std::vector<ProfileRecord> read_profiles(const nlohmann::json& document, const std::string& file);

/// Works the gates out again from the figures; a recorded verdict that they do not bear out fails.
gate::AuditedCase audit_profile(const ProfileRecord& record);

}  // namespace flashcore::profile
