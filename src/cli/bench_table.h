// What `flashcore bench` prints for people.
#pragma once

#include <span>
#include <string>

#include "bench/summary.h"
#include "gate/record.h"

namespace flashcore::cli {

/// "12.34", "1507"
std::string microseconds(double us);

/// "5 pass, 1 skipped"; what failed or is inconclusive by name.
std::string gate_summary(const gate::CaseRecord& record);

/// One row per case, the peers of a case below it.
std::string bench_table(std::span<const gate::CaseRecord> records);

/// The cases of the emulator: gates, and no times.
std::string emulated_table(std::span<const gate::CaseRecord> records);

/// A line for every gate that did not pass, and why; gates skipped for the same reason once.
std::string gate_notes(std::span<const gate::CaseRecord> records);

/// A line for every case on a GPU that was not served by its family's default Config alone: tuned
/// for the Problem, for a near one, or a record that is not used.
std::string choice_notes(std::span<const gate::CaseRecord> records);

/// A row for each peer that several shapes were compared with; empty where there is none.
std::string peer_summary_table(std::span<const bench::PeerSummary> summaries);

}  // namespace flashcore::cli
