#include <nlohmann/json.hpp>

#include "core/error.h"
#include "gate/record.h"
#include "io/json_reader.h"
#include "io/problem_json.h"
#include "profile/profile.h"

namespace flashcore::profile {

using io::JsonReader;
using nlohmann::json;

namespace {

json kernel_to_json(const KernelProfile& kernel) {
  json figures_json = json::object();
  json meanings = json::object();
  for (const auto& [key, value] : kernel.figures) {
    figures_json[key] = value ? json(*value) : json(nullptr);
    if (value) meanings[key] = meaning_of(key, *value);
  }
  json stalls = json::array();
  for (const auto& [reason, per_issue] : kernel.stalls)
    stalls.push_back({{"reason", reason}, {"warps_per_issue", per_issue}});
  return {{"name", kernel.name},     {"grid", kernel.grid},  {"block", kernel.block},
          {"figures", figures_json}, {"meanings", meanings}, {"stalls", stalls}};
}

KernelProfile kernel_from_json(const JsonReader& reader) {
  KernelProfile kernel{.name = reader.at("name").string(),
                       .grid = reader.at("grid").string(),
                       .block = reader.at("block").string(),
                       .figures = {},
                       .stalls = {}};
  const JsonReader recorded = reader.at("figures");
  for (const Figure& each : figures()) {
    const std::string key{each.key};
    kernel.figures[key] = std::nullopt;
    if (recorded.has(key)) kernel.figures[key] = recorded.at(key).number();
  }
  reader.at("stalls").for_each_element([&](const JsonReader& stall) {
    kernel.stalls.emplace_back(stall.at("reason").string(), stall.at("warps_per_issue").number());
  });
  return kernel;
}

}  // namespace

json profile_to_json(const ProfileRecord& record) {
  json others = json::array();
  for (const OtherKernel& other : record.others)
    others.push_back({{"name", other.name}, {"duration_us", other.duration_us}});
  json gates = json::object();
  for (const auto& [name, result] : record.gates) gates[name] = gate::gate_to_json(result);
  return {{"variant", record.variant},
          {"family", record.family},
          {"problem", io::problem_to_json(record.problem)},
          {"not_measured", record.kernel ? json(nullptr) : json(record.not_measured)},
          {"kernel", record.kernel ? kernel_to_json(*record.kernel) : json(nullptr)},
          {"other_kernels", others},
          {"not_available", record.not_available},
          {"gates", gates}};
}

ProfileRecord profile_from_json(const json& value, const std::string& path) {
  const JsonReader reader{value, path};
  ProfileRecord record{
      .variant = reader.at("variant").string(),
      .family = reader.at("family").string(),
      .problem = io::problem_from_json(reader.at("problem").value(), path + ".problem"),
      .not_measured = "",
      .kernel = {},
      .others = {},
      .not_available = {},
      .gates = {}};
  if (reader.has("kernel"))
    record.kernel = kernel_from_json(reader.at("kernel"));
  else
    record.not_measured = reader.at("not_measured").string();
  reader.at("other_kernels").for_each_element([&](const JsonReader& other) {
    record.others.push_back({other.at("name").string(), other.at("duration_us").number()});
  });
  reader.at("not_available").for_each_element([&](const JsonReader& metric) {
    record.not_available.push_back(metric.string());
  });
  reader.at("gates").for_each_member([&](const std::string& name, const JsonReader& result) {
    record.gates[name] = gate::gate_from_json(result.value(), result.path());
  });
  return record;
}

bool holds_profiles(const json& document) {
  return document.is_object() && document.contains("profiles");
}

std::vector<ProfileRecord> read_profiles(const json& document, const std::string& file) {
  try {
    gate::check_schema(document);
    std::vector<ProfileRecord> records;
    JsonReader{document, "$"}.at("profiles").for_each_element([&](const JsonReader& entry) {
      records.push_back(profile_from_json(entry.value(), entry.path().substr(2)));
    });
    return records;
  } catch (const core::Error& error) {
    core::fail(error.status(), "{}: {}", file, error.what());
  }
}

}  // namespace flashcore::profile
