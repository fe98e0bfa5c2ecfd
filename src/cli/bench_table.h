// The benchmark's results for people: every case with its peers below it.
#pragma once

#include <span>
#include <string>

#include "gate/record.h"

namespace flashcore::cli {

std::string bench_table(std::span<const gate::CaseRecord> records);

/// Every gate that failed or is inconclusive, with its reason, one a line; and once a variant why
/// gates of a case that could not run were skipped.
std::string gate_notes(std::span<const gate::CaseRecord> records);

}  // namespace flashcore::cli
