#include "gate/record.h"

#include <array>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "io/json_reader.h"
#include "io/problem_json.h"

namespace flashcore::gate {

using core::fail;
using core::Status;
using io::JsonReader;
using nlohmann::json;

namespace {

json summary_to_json(const Summary& summary) {
  return {{"median", summary.median}, {"min", summary.min}, {"max", summary.max},
          {"p25", summary.p25},       {"p75", summary.p75}, {"samples", summary.samples}};
}

Summary summary_from_json(const JsonReader& reader) {
  const Summary summary{.median = reader.at("median").number(),
                        .min = reader.at("min").number(),
                        .max = reader.at("max").number(),
                        .p25 = reader.at("p25").number(),
                        .p75 = reader.at("p75").number(),
                        .samples = reader.at("samples").small_integer()};
  if (!(summary.median > 0)) reader.at("median").expected("a number above 0");
  if (summary.samples < 1) reader.at("samples").expected("at least 1");
  return summary;
}

/// Adds gpu_us or cpu_us, and eager_us. Absent timings are null, so that the keys are always there.
void add_timing(json& target, bool on_gpu, const std::optional<Timing>& timing) {
  const char* device_key = on_gpu ? "gpu_us" : "cpu_us";
  target[device_key] = nullptr;
  target["eager_us"] = nullptr;
  if (!timing) return;
  target[device_key] = {{"cold", summary_to_json(timing->cold)},
                        {"warm", summary_to_json(timing->warm)}};
  target["eager_us"] = summary_to_json(timing->eager);
}

std::optional<Timing> timing_from_json(const JsonReader& reader, bool on_gpu) {
  const char* device_key = on_gpu ? "gpu_us" : "cpu_us";
  if (!reader.has(device_key)) return std::nullopt;
  const JsonReader device = reader.at(device_key);
  return Timing{summary_from_json(device.at("cold")), summary_from_json(device.at("warm")),
                summary_from_json(reader.at("eager_us"))};
}

std::vector<double> times_from_json(const JsonReader& reader) {
  std::vector<double> times;
  reader.for_each_element([&](const JsonReader& time) {
    times.push_back(time.number());
    if (!(times.back() > 0)) time.expected("a number above 0");
  });
  return times;
}

Turns turns_from_json(const JsonReader& reader) {
  Turns turns{times_from_json(reader.at("first")), times_from_json(reader.at("again"))};
  if (turns.first.size() != turns.again.size())
    reader.at("again").expected("as many times as first has");
  return turns;
}

/// The ceilings of a roofline under their names in the record.
template <typename Roofline>
auto ceilings_of(Roofline& roofline) {
  using Value = decltype((roofline.peak_tflops));
  return std::array<std::pair<const char*, Value>, 4>{
      {{"peak_tflops", roofline.peak_tflops},
       {"peak_gb_per_s", roofline.peak_gb_per_s},
       {"measured_tflops", roofline.measured_tflops},
       {"measured_gb_per_s", roofline.measured_gb_per_s}}};
}

json peer_to_json(const PeerRecord& peer, bool on_gpu) {
  json result{{"name", peer.name}, {"backend", peer.backend}, {"version", peer.version}};
  add_timing(result, on_gpu, peer.timing);
  if (!peer.timing) result["not_measured"] = peer.not_measured;
  if (peer.comparison)
    result["comparison"] = {{"ratio", summary_to_json(peer.comparison->ratio)},
                            {"noise", peer.comparison->noise}};
  return result;
}

PeerRecord peer_from_json(const JsonReader& reader, bool on_gpu) {
  PeerRecord peer{.name = reader.at("name").string(),
                  .backend = reader.at("backend").string(),
                  .version = reader.at("version").string(),
                  .timing = timing_from_json(reader, on_gpu),
                  .comparison = std::nullopt,
                  .not_measured = ""};
  if (reader.has("comparison")) {
    const JsonReader comparison = reader.at("comparison");
    peer.comparison = {.ratio = summary_from_json(comparison.at("ratio")),
                       .noise = comparison.at("noise").number()};
  }
  if (!peer.timing) peer.not_measured = reader.at("not_measured").string();
  return peer;
}

void add_ratio(json& result, const std::optional<RatioRecord>& best) {
  result["ratio_to_best_peer"] = nullptr;
  result["best_peer"] = nullptr;
  if (!best) return;
  result["ratio_to_best_peer"] = best->ratio.median;
  result["best_peer"] = {
      {"peer", best->peer}, {"ratio", summary_to_json(best->ratio)}, {"noise", best->noise}};
}

json roofline_to_json(const RooflineRecord& roofline) {
  json result{{"bound_us", roofline.bound_us}, {"fraction", roofline.fraction}};
  for (const auto& [key, value] : ceilings_of(roofline))
    if (value > 0) result[key] = value;
  return result;
}

RooflineRecord roofline_from_json(const JsonReader& reader) {
  RooflineRecord roofline{.bound_us = reader.at("bound_us").number(),
                          .fraction = reader.at("fraction").number()};
  for (const auto& [key, value] : ceilings_of(roofline))
    if (reader.has(key)) value = reader.at(key).number();
  return roofline;
}

RatioRecord ratio_from_json(const JsonReader& reader) {
  return {.peer = reader.at("peer").string(),
          .ratio = summary_from_json(reader.at("ratio")),
          .noise = reader.at("noise").number()};
}

}  // namespace

json ptxas_to_json(const PtxasRecord& record) {
  return {{"registers", record.report.registers},
          {"spill_bytes", record.report.spill_bytes},
          {"stack_bytes", record.report.stack_bytes},
          {"smem_bytes", record.report.shared_bytes},
          {"barriers", record.report.barriers},
          {"serialized_products", record.report.serialized_products},
          {"register_budget", record.register_budget}};
}

PtxasRecord ptxas_from_json(const json& value, const std::string& path) {
  const JsonReader reader{value, path};
  return {.report = {.registers = reader.at("registers").small_integer(),
                     .spill_bytes = reader.at("spill_bytes").small_integer(),
                     .stack_bytes = reader.at("stack_bytes").small_integer(),
                     .shared_bytes = reader.at("smem_bytes").small_integer(),
                     .barriers = reader.at("barriers").small_integer(),
                     .serialized_products = reader.flag("serialized_products")},
          .register_budget = reader.at("register_budget").small_integer()};
}

double CaseRecord::tflops() const {
  return timing ? problem.flops() / timing->cold.median / 1e6 : 0;
}

json gate_to_json(const GateResult& result) {
  json checks = json::array();
  for (const Check& check : result.checks) {
    // JSON has no NaN or infinity; null stands for them and is over every limit.
    const json measured = std::isfinite(check.measured) ? json(check.measured) : json(nullptr);
    checks.push_back({{"what", check.what},
                      {"measured", measured},
                      {"limit", check.limit},
                      {"noise", check.noise}});
  }
  return {{"status", name(result.verdict)}, {"detail", result.detail}, {"checks", checks}};
}

GateResult gate_from_json(const json& value, const std::string& path) {
  const JsonReader reader{value, path};
  const JsonReader status = reader.at("status");
  const auto verdict = verdict_from_name(status.string());
  if (!verdict) status.expected("pass, fail, inconclusive or skipped");
  GateResult result{*verdict, reader.at("detail").string(), {}};
  reader.at("checks").for_each_element([&](const JsonReader& check) {
    result.checks.push_back({.what = check.at("what").string(),
                             .measured = check.at("measured").number_or_nan(),
                             .limit = check.at("limit").number(),
                             .noise = check.at("noise").number()});
  });
  return result;
}

json case_to_json(const CaseRecord& record) {
  json result{{"variant", record.variant},
              {"backend", record.backend},
              {"family", record.family},
              {"config", record.config},
              {"problem", io::problem_to_json(record.problem)},
              {"gates", json::object()},
              {"ptxas", json::object()},
              {"peers", json::array()},
              {"noise", record.noise},
              {"tflops", nullptr},
              {"roofline", nullptr}};
  if (!record.reason.empty()) result["reason"] = record.reason;
  for (const auto& [gate, outcome] : record.gates) result["gates"][gate] = gate_to_json(outcome);
  for (const auto& [arch, report] : record.ptxas) result["ptxas"][arch] = ptxas_to_json(report);
  for (const PeerRecord& peer : record.peers)
    result["peers"].push_back(peer_to_json(peer, record.on_gpu()));
  add_timing(result, record.on_gpu(), record.timing);
  if (!record.cold_turns.first.empty())
    result["cold_turns_us"] = {{"first", record.cold_turns.first},
                               {"again", record.cold_turns.again}};
  add_ratio(result, record.best_peer);
  if (record.timing) result["tflops"] = record.tflops();
  if (record.roofline) result["roofline"] = roofline_to_json(*record.roofline);
  return result;
}

CaseRecord case_from_json(const json& value, const std::string& path) {
  const JsonReader reader{value, path};
  CaseRecord record;
  record.variant = reader.at("variant").string();
  record.backend = reader.at("backend").string();
  record.family = reader.at("family").string();
  record.config = reader.at("config").string();
  if (reader.has("reason")) record.reason = reader.at("reason").string();
  record.problem = io::problem_from_json(reader.at("problem").value(), path + ".problem");
  reader.at("gates").for_each_member([&](const std::string& gate, const JsonReader& outcome) {
    record.gates[gate] = gate_from_json(outcome.value(), outcome.path());
  });
  reader.at("ptxas").for_each_member([&](const std::string& arch, const JsonReader& report) {
    record.ptxas[arch] = ptxas_from_json(report.value(), report.path());
  });
  reader.at("peers").for_each_element([&](const JsonReader& peer) {
    record.peers.push_back(peer_from_json(peer, record.on_gpu()));
  });
  record.timing = timing_from_json(reader, record.on_gpu());
  if (reader.has("cold_turns_us")) record.cold_turns = turns_from_json(reader.at("cold_turns_us"));
  record.noise = reader.at("noise").number();
  if (reader.has("best_peer")) record.best_peer = ratio_from_json(reader.at("best_peer"));
  if (reader.has("roofline")) record.roofline = roofline_from_json(reader.at("roofline"));
  return record;
}

void check_schema(const json& document) {
  const std::int64_t schema = JsonReader{document, "$"}.at("schema").integer();
  if (schema != schema_version)
    fail(Status::invalid_argument, "schema: {} is not {}, the one that is known", schema,
         schema_version);
}

json read_document(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) fail(Status::io, "{}: cannot be read", file.string());
  json document = json::parse(stream, nullptr, false);
  if (document.is_discarded())
    fail(Status::invalid_argument, "{}: not a JSON document", file.string());
  return document;
}

std::vector<CaseRecord> read_results(const std::filesystem::path& file) {
  return read_results(read_document(file), file.string());
}

std::vector<CaseRecord> read_results(const json& document, const std::string& file) {
  try {
    check_schema(document);
    std::vector<CaseRecord> records;
    JsonReader{document, "$"}.at("cases").for_each_element([&](const JsonReader& entry) {
      records.push_back(case_from_json(entry.value(), entry.path().substr(2)));
    });
    return records;
  } catch (const core::Error& error) {
    fail(error.status(), "{}: {}", file, error.what());
  }
}

}  // namespace flashcore::gate
