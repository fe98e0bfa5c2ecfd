#include "cli/result_file.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "bench/provenance.h"
#include "bench/summary.h"
#include "io/file.h"

namespace flashcore::cli {

using gate::CaseRecord;
using nlohmann::json;

std::vector<std::string> command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  if (!words.empty()) words.front() = std::filesystem::path(words.front()).filename().string();
  return words;
}

void write_json(const std::string& path, const json& document) {
  const std::string text = document.dump(2) + '\n';
  io::OutputFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

ResultFile::ResultFile(std::string path) : path_(std::move(path)) {
  if (to_file()) io::OutputFile{path_};  // a path that cannot be written is found out now
  document_ = {{"schema", gate::schema_version},
               {"cases", json::array()},
               {"provenance", bench::run_provenance(command_line())}};
}

void ResultFile::add(const CaseRecord& record, json provenance) {
  json entry = gate::case_to_json(record);
  entry["provenance"] = std::move(provenance);
  document_["cases"].push_back(std::move(entry));
  records_.push_back(record);
  document_["summary"] = bench::summary_to_json(bench::summarize_peers(records_));
  if (to_file()) write_json(path_, document_);
}

void ResultFile::finish() const {
  if (to_stdout()) fmt::print("{}\n", document_.dump(2));
}

std::vector<CaseRecord> run_and_record(std::span<const dispatch::Variant* const> variants,
                                       const core::Problem& problem,
                                       const bench::CaseOptions& options, bench::TorchPeer* peer,
                                       ResultFile& results) {
  json provenance = results.provenance();
  provenance["seed"] = options.seed;
  provenance["rounds"] = options.rounds;
  provenance["trials"] = options.trials;
  const bool needs_gpu =
      !variants.empty() && !options.emulated && variants.front()->backend != dispatch::Backend::cpu;
  json& state = results.gpu_state();
  if (needs_gpu && state.is_null()) state = bench::gpu_state(options.ordinal);
  provenance["gpu_before"] = needs_gpu ? state : json(nullptr);
  std::vector<CaseRecord> records = bench::run_cases(variants, problem, options, peer);
  if (needs_gpu) state = bench::gpu_state(options.ordinal);
  provenance["gpu_after"] = needs_gpu ? state : json(nullptr);
  for (const CaseRecord& record : records) results.add(record, provenance);
  return records;
}

bool any_failed(std::span<const CaseRecord> records) {
  for (const CaseRecord& record : records)
    for (const auto& [gate, result] : record.gates)
      if (result.verdict == gate::Verdict::fail) return true;
  return false;
}

}  // namespace flashcore::cli
