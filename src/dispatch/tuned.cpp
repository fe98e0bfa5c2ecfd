#include "dispatch/tuned.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "dispatch/tuned_files.h"
#include "io/json_reader.h"
#include "io/problem_json.h"
#include "jit/compiler.h"
#include "jit/hasher.h"

namespace flashcore::dispatch {

using core::Problem;
using family::ConfigFields;
using io::JsonReader;
using nlohmann::json;

namespace {

constexpr int tuned_version = 1;

json config_to_json(const ConfigFields& config) {
  json fields = json::object();
  for (const auto& [field, value] : config.fields()) fields[field] = value;
  return fields;
}

/// In the order of the family's own fields. A family that is not known keeps the file's.
ConfigFields config_from_json(const JsonReader& reader) {
  ConfigFields config;
  reader.for_each_member([&](const std::string& field, const JsonReader& value) {
    config.add(field, value.integer());
  });
  return config;
}

/// With the fields in the order in which the family has them. Throws for unknown or missing ones.
ConfigFields ordered(const ConfigFields& given, const ConfigFields& like) {
  family::check_field_names(given, like);
  return family::overlaid(like, given);
}

double doublings(std::int64_t a, std::int64_t b) {
  const auto log = [](std::int64_t count) {
    return std::log2(static_cast<double>(std::max<std::int64_t>(count, 1)));
  };
  return std::abs(log(a) - log(b));
}

/// Why a record does not serve; empty where it does.
std::string objection(const TunedRecord& record, const family::Family& family,
                      const Problem& problem, const core::GpuLimits& limits, ConfigFields& config) {
  try {
    const ConfigFields standard = family.default_config(problem, limits);
    // What was better than one Config says nothing about where the family takes another.
    if (family.default_config(record.problem, limits) != standard)
      return "the family's default for it is another";
    config = ordered(record.config, standard);
    if (source_hash(family, config, limits.arch) != record.source_hash)
      return "the kernels have changed since it was tuned";
    static_cast<void>(family.prepare(problem, config, limits));
    return "";
  } catch (const core::Error& error) {
    return error.what();
  }
}

}  // namespace

json tuned_to_json(const TunedRecord& record) {
  return {{"version", tuned_version},
          {"family", record.family},
          {"problem", io::problem_to_json(record.problem)},
          {"config", config_to_json(record.config)},
          {"gpu", record.gpu},
          {"arch", record.arch},
          {"driver", record.driver},
          {"nvrtc", record.nvrtc},
          {"source_hash", record.source_hash},
          {"time_us", record.time_us},
          {"noise", record.noise},
          {"default_us", record.default_us},
          {"date", record.date},
          {"commit", record.commit}};
}

TunedRecord tuned_from_json(const json& value, const std::string& path) {
  const JsonReader reader{value, path};
  reader.check_members({"version", "family", "problem", "config", "gpu", "arch", "driver", "nvrtc",
                        "source_hash", "time_us", "noise", "default_us", "date", "commit"});
  if (reader.at("version").integer() != tuned_version) reader.at("version").expected("version 1");
  const auto text = [&](const char* key) { return reader.at(key).string(); };
  return {.family = text("family"),
          .problem = io::problem_from_json(reader.at("problem").value(), path + ".problem"),
          .config = config_from_json(reader.at("config")),
          .gpu = text("gpu"),
          .arch = text("arch"),
          .driver = text("driver"),
          .nvrtc = text("nvrtc"),
          .source_hash = text("source_hash"),
          .time_us = reader.at("time_us").number(),
          .noise = reader.at("noise").number(),
          .default_us = reader.at("default_us").number(),
          .date = text("date"),
          .commit = text("commit")};
}

std::string source_hash(const family::Family& family, const ConfigFields& config, core::Arch arch) {
  jit::Hasher hasher;
  for (const jit::KernelSpec& spec : family.kernels(config))
    hasher.add(fmt::format("{:016x}", jit::source_hash(spec, arch)));
  return fmt::format("{:016x}", hasher.digest());
}

std::optional<double> tuned_distance(const Problem& tuned, const Problem& asked) {
  if (tuned.dtype != asked.dtype || tuned.head_dim != asked.head_dim || tuned.mask != asked.mask ||
      tuned.group_size() != asked.group_size())
    return std::nullopt;
  return doublings(tuned.batch * tuned.heads_q, asked.batch * asked.heads_q) +
         doublings(tuned.seq_q, asked.seq_q) + doublings(tuned.seq_kv, asked.seq_kv);
}

TunedAnswer find_tuned(std::span<const TunedRecord> records, const family::Family& family,
                       const Problem& problem, std::string_view gpu,
                       const core::GpuLimits& limits) {
  TunedAnswer answer;
  for (const TunedRecord& record : records) {
    if (record.family != family.name() || record.gpu != gpu) continue;
    const auto distance = tuned_distance(record.problem, problem);
    if (!distance || *distance > farthest_tuned) continue;
    const bool has_one = answer.match != TunedMatch::none;
    if (has_one && answer.distance <= *distance) continue;
    ConfigFields config;
    if (const std::string why = objection(record, family, problem, limits, config); !why.empty()) {
      if (!has_one)
        answer.reason =
            fmt::format("a record for {} is not used: {}", record.problem.to_string(), why);
      continue;
    }
    answer = {.match = *distance == 0 ? TunedMatch::exact : TunedMatch::nearest,
              .config = config,
              .distance = *distance,
              .reason = *distance == 0 ? "tuned for exactly this Problem"
                                       : fmt::format("tuned for {}, at distance {:.2f}",
                                                     record.problem.to_string(), *distance)};
  }
  return answer;
}

TunedAnswer find_tuned(const family::Family& family, const Problem& problem, std::string_view gpu,
                       const core::GpuLimits& limits) {
  const auto& files = tuned_files(gpu, family.name());
  std::vector<TunedRecord> records;
  std::string problems;
  for (const TunedFile& file : files) {
    records.insert(records.end(), file.records.begin(), file.records.end());
    for (const std::string& each : file.problems) problems += "; not used: " + each;
  }
  TunedAnswer answer = find_tuned(records, family, problem, gpu, limits);
  if (!problems.empty()) answer.reason += answer.reason.empty() ? problems.substr(2) : problems;
  return answer;
}

}  // namespace flashcore::dispatch
