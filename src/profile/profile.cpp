#include "profile/profile.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "profile/ncu.h"

namespace flashcore::profile {

using gate::GateResult;

namespace {

constexpr double least_warp_efficiency = 95;
constexpr std::size_t stalls_kept = 6;

double duration_of(const KernelSample& sample) {
  return value_of("duration_us", sample).value_or(0);
}

/// Of one kernel's launches, the one of median duration.
const KernelSample& median_launch(std::vector<const KernelSample*>& launches) {
  const auto middle = launches.begin() + static_cast<std::ptrdiff_t>(launches.size() / 2);
  std::nth_element(launches.begin(), middle, launches.end(),
                   [](const auto* a, const auto* b) { return duration_of(*a) < duration_of(*b); });
  return **middle;
}

KernelProfile profile_of(const KernelSample& sample) {
  KernelProfile kernel{
      .name = sample.name, .grid = sample.grid, .block = sample.block, .figures = {}, .stalls = {}};
  for (const Figure& each : figures())
    kernel.figures[std::string{each.key}] = value_of(each, sample);
  for (const Stall& stall : top_stalls(sample, stalls_kept))
    kernel.stalls.emplace_back(stall.reason, stall.per_issue);
  return kernel;
}

/// "at least" as a check, which is a number that must be at most its limit: what is missing to
/// 100%.
GateResult at_least(std::string_view key, double least, const ProfileRecord& record) {
  const auto value = record.kernel->figures.at(std::string{key});
  const std::string label{figure(key).label};
  if (!value) return gate::skipped(fmt::format("{} is not available here", label));
  return gate::judge(
      {{.what = fmt::format("idle_{}", key), .measured = 100 - *value, .limit = 100 - least}},
      fmt::format("{} {:.1f}%, at least {:g}% is asked", label, *value, least));
}

GateResult judge_tensor_pipe(const ProfileRecord& record) {
  const dispatch::Variant* variant = dispatch::find_variant(record.variant);
  if (variant == nullptr || variant->tensor_pipe <= 0)
    return gate::skipped(fmt::format("{} declares no least tensor-pipe activity", record.variant));
  return at_least("tensor_pipe_percent", variant->tensor_pipe, record);
}

GateResult judge_local_memory(const ProfileRecord& record) {
  const auto loads = record.kernel->figures.at("local_load_sectors");
  const auto stores = record.kernel->figures.at("local_store_sectors");
  if (!loads || !stores) return gate::skipped("local-memory traffic is not available here");
  return gate::judge({{.what = "local_load_sectors", .measured = *loads},
                      {.what = "local_store_sectors", .measured = *stores}},
                     "");
}

}  // namespace

core::Problem profile_problem() {
  return core::contiguous_problem(core::Dtype::float16, 4, 16, 16, 4096, 4096, 128);
}

void take_samples(const std::vector<KernelSample>& samples, ProfileRecord& record) {
  std::vector<std::string> names;  // in the order of the first launch
  std::map<std::string, std::vector<const KernelSample*>> launches;
  for (const KernelSample& sample : samples) {
    if (!launches.contains(sample.name)) names.push_back(sample.name);
    launches[sample.name].push_back(&sample);
  }
  if (names.empty()) core::fail(core::Status::internal, "profile: no samples");
  const auto duration = [&](const std::string& name) {
    return duration_of(median_launch(launches.at(name)));
  };
  const auto longest =
      std::max_element(names.begin(), names.end(),
                       [&](const auto& a, const auto& b) { return duration(a) < duration(b); });
  record.kernel = profile_of(median_launch(launches.at(*longest)));
  for (const std::string& name : names)
    if (name != *longest) record.others.push_back({name, duration(name)});
}

ProfileRecord run_profile(const dispatch::Variant& variant, const core::Problem& problem,
                          const std::vector<std::string>& target,
                          std::chrono::duration<double> limit) {
  ProfileRecord record{.variant = std::string{variant.name},
                       .family = std::string{variant.family},
                       .problem = problem,
                       .not_measured = "",
                       .kernel = {},
                       .others = {},
                       .not_available = {},
                       .gates = {}};
  try {
    const NcuRun run = run_ncu(find_ncu(), target, metric_names(), limit);
    record.not_available = run.not_available;
    take_samples(run.samples, record);
  } catch (const std::exception& failure) {
    record.not_measured = failure.what();
    if (const core::Support here = dispatch::runs_here(variant); !here)
      record.not_measured = fmt::format("{}; {}", here.reason(), failure.what());
  }
  record.gates = judge_profile(record);
  return record;
}

std::map<std::string, GateResult> judge_profile(const ProfileRecord& record) {
  std::map<std::string, GateResult> gates;
  const auto judge = [&](const char* name, const auto& judged) {
    if (!record.kernel)
      gates[name] = gate::skipped("not measured");
    else if (record.problem != profile_problem())
      gates[name] = gate::skipped(fmt::format("judged at {}", profile_problem().to_string()));
    else
      gates[name] = judged();
  };
  judge("tensor_pipe", [&] { return judge_tensor_pipe(record); });
  judge("warp_efficiency",
        [&] { return at_least("warp_efficiency_percent", least_warp_efficiency, record); });
  judge("local_memory", [&] { return judge_local_memory(record); });
  return gates;
}

gate::AuditedCase audit_profile(const ProfileRecord& record) {
  gate::AuditedCase audited{
      fmt::format("profile of {}, {}", record.variant, record.problem.to_string()),
      judge_profile(record)};
  for (auto& [name, derived] : audited.gates) {
    const auto recorded = record.gates.find(name);
    if (recorded == record.gates.end())
      derived = gate::broken("absent from the result");
    else if (recorded->second.verdict != derived.verdict)
      derived = {gate::Verdict::fail,
                 fmt::format("recorded as {}, but what was measured says {}: {}",
                             gate::name(recorded->second.verdict), gate::name(derived.verdict),
                             derived.detail),
                 derived.checks};
  }
  return audited;
}

}  // namespace flashcore::profile
