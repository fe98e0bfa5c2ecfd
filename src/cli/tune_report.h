// What `flashcore tune` says of a search, while it runs and at its end.
#pragma once

#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "cli/progress.h"
#include "tune/finals.h"
#include "tune/marks.h"
#include "tune/search.h"
#include "tune/study.h"

namespace flashcore::cli {

/// "3 over_budget, 1 crashed"; empty where nothing failed.
std::string failure_counts(const tune::SearchResult& result);

/// "generation 3: 68 tried, best 5.91 us (1.04 times the default's speed, …)"
std::string generation_line(const tune::SearchResult& result, const tune::Marks& marks);

/// Shows a search as it goes: on a terminal one line with the time left, in a pipe one line for
/// each generation. Several threads may tell it of candidates.
class TuneProgress {
 public:
  explicit TuneProgress(long evaluations);

  void set_marks(tune::Marks marks) { marks_ = std::move(marks); }
  void note(std::string_view what);
  void candidate_done();
  void generation_done(const tune::SearchResult& result);

 private:
  std::mutex mutex_;
  tune::Marks marks_;
  Progress progress_;
  std::string line_;  // of the last generation
  bool terminal_;
};

/// The end of a search, for people.
std::string tune_summary(const tune::SearchResult& result, const tune::Space& space);

/// The finalists' times, gates and peers, and who won and why.
std::string finals_summary(const tune::Finals& finals);

nlohmann::json search_to_json(const tune::SearchResult& result, const tune::Space& space);

/// A row for each budget, a column for each strategy.
std::string study_table(std::span<const tune::StudyPoint> points);

}  // namespace flashcore::cli
