// The benchmark's results for people: every case with its peers below it.
#pragma once

#include <span>
#include <string>

#include "gate/record.h"

namespace flashcore::cli {

/// Gates are named where they did not pass; "6 pass" where all did.
std::string bench_table(std::span<const gate::CaseRecord> records);

/// Every gate that failed or is inconclusive, with its reason, one a line.
std::string gate_complaints(std::span<const gate::CaseRecord> records);

}  // namespace flashcore::cli
