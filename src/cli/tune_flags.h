// What `flashcore tune` is told.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/problem_flags.h"
#include "tune/search.h"

namespace flashcore::cli {

struct TuneFlags {
  ProblemFlags problem;
  std::string family;
  std::string fixed;  // "kv_splits=1,stages=2|3"
  std::string strategy = "evolve";
  std::string weights;
  tune::SearchOptions search;
  std::string simulate;
  int seeds = 1;
  std::string plot;  // a folder
  std::string record_table;
  std::string json;
  std::string journal;  // empty: tune.journal on a GPU, none on a table
  bool resume = false;
  std::vector<int> devices{0};
  std::string peers = "none";
  double target_ratio = 0;
  std::string worker;   // for the tests: a program to stand in for `flashcore worker`
  std::string records;  // empty: the user's own folder
  double time_limit_s = 60;
  int rounds = 5;
};

void add_tune_flags(CLI::App& command, TuneFlags& flags);

/// Throws invalid_argument naming the flag and the value.
tune::SearchOptions search_options(const TuneFlags& flags);

/// What decides the course of a search, for the journal to know it again by.
nlohmann::json course_of(const tune::SearchOptions& options, const tune::Space& space);

/// "error=0.2,nan=5" over the weights as they are. Throws invalid_argument for another name, or a
/// value that is not a number of at least 0.
tune::Weights parse_weights(std::string_view text);

}  // namespace flashcore::cli
