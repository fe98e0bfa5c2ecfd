// The file that `bench` writes, case by case.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "bench/run_case.h"

namespace flashcore::cli {

/// This process's own command line, but for the folder that the program lies in.
std::vector<std::string> command_line();

/// Writes a document in the place of what the file held. Throws io with the path.
void write_json(const std::string& path, const nlohmann::json& document);

/// Grows case by case: what was measured is kept, whatever happens next. The summary over the cases
/// is worked out again each time.
class ResultFile {
 public:
  /// `path` empty: nothing is written; "-": printed by finish(). Throws io for a path that cannot
  /// be written.
  explicit ResultFile(std::string path);

  [[nodiscard]] bool to_stdout() const { return path_ == "-"; }
  [[nodiscard]] const nlohmann::json& provenance() const { return document_["provenance"]; }
  /// The GPU's state after the last case: where it is before the next.
  nlohmann::json& gpu_state() { return gpu_state_; }

  void add(const gate::CaseRecord& record, nlohmann::json provenance);
  void finish() const;

 private:
  [[nodiscard]] bool to_file() const { return !path_.empty() && !to_stdout(); }

  std::string path_;
  nlohmann::json document_;
  nlohmann::json gpu_state_;
  std::vector<gate::CaseRecord> records_;
};

/// bench::run_cases, with where and how each was measured beside its result in the file.
std::vector<gate::CaseRecord> run_and_record(std::span<const dispatch::Variant* const> variants,
                                             const core::Problem& problem,
                                             const bench::CaseOptions& options,
                                             bench::TorchPeer* peer, ResultFile& results);

bool any_failed(std::span<const gate::CaseRecord> records);

}  // namespace flashcore::cli
