#include "tune/outcome.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "io/json_reader.h"

namespace flashcore::tune {

using io::JsonReader;
using nlohmann::json;

namespace {

constexpr std::array cause_names{
    std::pair{Cause::none, "none"},
    std::pair{Cause::invalid, "invalid"},
    std::pair{Cause::compile_failed, "compile_failed"},
    std::pair{Cause::over_budget, "over_budget"},
    std::pair{Cause::incorrect, "incorrect"},
    std::pair{Cause::not_deterministic, "not_deterministic"},
    std::pair{Cause::crashed, "crashed"},
    std::pair{Cause::hung, "hung"},
    std::pair{Cause::garbage, "garbage"},
    std::pair{Cause::exited, "exited"},
    std::pair{Cause::out_of_memory, "out_of_memory"},
    std::pair{Cause::device_failed, "device_failed"},
    std::pair{Cause::abandoned, "abandoned"},
};

json report_to_json(const jit::ResourceReport& report) {
  return {{"registers", report.registers},     {"spill_bytes", report.spill_bytes},
          {"stack_bytes", report.stack_bytes}, {"shared_bytes", report.shared_bytes},
          {"barriers", report.barriers},       {"serialized_products", report.serialized_products}};
}

jit::ResourceReport report_from_json(const JsonReader& reader) {
  reader.check_members({"registers", "spill_bytes", "stack_bytes", "shared_bytes", "barriers",
                        "serialized_products"});
  return {.registers = reader.at("registers").small_integer(),
          .spill_bytes = reader.at("spill_bytes").small_integer(),
          .stack_bytes = reader.at("stack_bytes").small_integer(),
          .shared_bytes = reader.at("shared_bytes").small_integer(),
          .barriers = reader.at("barriers").small_integer(),
          .serialized_products = reader.flag("serialized_products")};
}

}  // namespace

std::string_view name(Cause cause) {
  return cause_names[static_cast<std::size_t>(cause)].second;
}

std::optional<Cause> cause_from_name(std::string_view text) {
  for (const auto& [cause, known] : cause_names)
    if (text == known) return cause;
  return std::nullopt;
}

bool took_worker_down(Cause cause) {
  switch (cause) {
    case Cause::crashed:
    case Cause::hung:
    case Cause::garbage:
    case Cause::exited:
    case Cause::device_failed:
    case Cause::abandoned: return true;
    default: return false;
  }
}

json outcome_to_json(const Outcome& outcome) {
  json result{{"cause", name(outcome.cause)}};
  const auto add = [&](const char* key, const auto& value, const auto& usual) {
    if (value != usual) result[key] = value;
  };
  const Outcome usual;
  add("detail", outcome.detail, usual.detail);
  add("latency_us", outcome.latency_us, usual.latency_us);
  add("noise", outcome.noise, usual.noise);
  add("max_error", outcome.max_error, usual.max_error);
  add("nan", outcome.nan, usual.nan);
  add("deterministic", outcome.deterministic, usual.deterministic);
  add("compile_s", outcome.compile_s, usual.compile_s);
  add("check_s", outcome.check_s, usual.check_s);
  add("time_s", outcome.time_s, usual.time_s);
  if (outcome.resources) result["resources"] = report_to_json(*outcome.resources);
  return result;
}

Outcome outcome_from_json(const json& value, const std::string& path) {
  const JsonReader reader{value, path};
  reader.check_members({"cause", "detail", "latency_us", "noise", "max_error", "nan",
                        "deterministic", "compile_s", "check_s", "time_s", "resources"});
  Outcome outcome;
  const auto cause = cause_from_name(reader.at("cause").string());
  if (!cause) reader.at("cause").expected("the name of a cause");
  outcome.cause = *cause;
  if (reader.has("detail")) outcome.detail = reader.at("detail").string();
  const auto take = [&](const char* key, double& into) {
    if (!reader.has(key)) return;
    into = reader.at(key).number();
    if (into < 0) reader.at(key).expected("a number of at least 0");
  };
  take("latency_us", outcome.latency_us);
  take("noise", outcome.noise);
  take("max_error", outcome.max_error);
  take("compile_s", outcome.compile_s);
  take("check_s", outcome.check_s);
  take("time_s", outcome.time_s);
  outcome.nan = reader.flag("nan");
  if (reader.has("deterministic")) outcome.deterministic = reader.at("deterministic").boolean();
  if (reader.has("resources")) outcome.resources = report_from_json(reader.at("resources"));
  return outcome;
}

double fitness(const Outcome& outcome, double baseline_us, const Weights& weights) {
  double value = 0;
  if (outcome.latency_us > 0) value += weights.speed * baseline_us / outcome.latency_us;
  value -= weights.error * std::min(1.0, outcome.max_error / weights.error_unit);
  if (outcome.nan) value -= weights.nan;
  if (outcome.cause != Cause::none) value -= weights.failed_gate;
  if (!outcome.deterministic) value -= weights.not_deterministic;
  return value;
}

}  // namespace flashcore::tune
