// The compiler's resource report against the family's declared budget, on every architecture that
// the family claims. Needs the compiler, not a GPU.
#pragma once

#include <map>
#include <string>

#include "dispatch/variants.h"
#include "family/family.h"
#include "gate/record.h"

namespace flashcore::gate {

/// The largest of each resource over the kernels of one Config on one architecture, dynamic shared
/// memory included. Throws compile_failed with the compiler's words, no_device where there is none.
PtxasRecord resource_report(const family::Family& family, const family::ConfigFields& config,
                            core::Arch arch);

struct PtxasOutcome {
  GateResult result;
  std::map<std::string, PtxasRecord> by_arch;
};

/// Skipped for a CPU variant and where there is no compiler.
PtxasOutcome run_ptxas(const dispatch::Variant& variant, const core::Problem& problem);

/// The gate's checks, from the reports: what the audit works out again.
std::vector<Check> ptxas_checks(const std::map<std::string, PtxasRecord>& by_arch);

}  // namespace flashcore::gate
