// What `flashcore tune` is told.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "tune/search.h"

namespace flashcore::cli {

struct TuneFlags {
  std::string strategy = "evolve";
  std::string weights;
  tune::SearchOptions search;
  std::string simulate;
  int seeds = 1;
  std::string json;
};

void add_tune_flags(CLI::App& command, TuneFlags& flags);

/// Throws invalid_argument naming the flag and the value.
tune::SearchOptions search_options(const TuneFlags& flags);

/// "error=0.2,nan=5" over the weights as they are. Throws invalid_argument for another name, or a
/// value that is not a number of at least 0.
tune::Weights parse_weights(std::string_view text);

}  // namespace flashcore::cli
