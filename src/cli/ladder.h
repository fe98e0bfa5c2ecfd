// The ladder as `flashcore bench --variant ladder` runs and prints it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "dispatch/variants.h"
#include "gate/record.h"

namespace flashcore::cli {

/// The rungs that this build has, from the foot up.
std::vector<const dispatch::Variant*> ladder_variants();

/// A row for each rung, then the peers of the same rounds.
std::string ladder_table(std::span<const gate::CaseRecord> records);

/// A line for each rung that was not measured or not compared with its limit, and why; empty when
/// every one was.
std::string not_measured_rungs(std::span<const gate::CaseRecord> records);

}  // namespace flashcore::cli
