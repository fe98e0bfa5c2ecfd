// What `flashcore tune` says of a search, while it runs and at its end.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "cli/progress.h"
#include "tune/search.h"
#include "tune/study.h"

namespace flashcore::cli {

/// What a search is held against, in microseconds; 0 where it is not known.
struct TuneMarks {
  std::string peer;  // "torch_sdpa flash"
  double peer_us = 0;
  double roofline_us = 0;
};

/// "3 over_budget, 1 crashed"; empty where nothing failed.
std::string failure_counts(const tune::SearchResult& result);

/// "generation 3: 68 tried, best 5.91 us (1.04 times the default's speed, …)"
std::string generation_line(const tune::SearchResult& result, const TuneMarks& marks);

/// Shows a search as it goes: on a terminal one line with the time left, in a pipe one line for
/// each generation.
class TuneProgress {
 public:
  TuneProgress(long evaluations, TuneMarks marks);

  void set_marks(TuneMarks marks) { marks_ = std::move(marks); }
  /// What is being done; a candidate is done where `tried` says so.
  void note(std::string_view what);
  void candidate_done() { progress_.advance(); }
  void generation_done(const tune::SearchResult& result);

 private:
  TuneMarks marks_;
  Progress progress_;
  bool terminal_;
};

/// The end of a search, for people.
std::string tune_summary(const tune::SearchResult& result, const tune::Space& space);

nlohmann::json search_to_json(const tune::SearchResult& result, const tune::Space& space);

/// A row for each budget, a column for each strategy.
std::string study_table(std::span<const tune::StudyPoint> points);

}  // namespace flashcore::cli
