// Holding recorded results to the rules: what `flashcore gate` answers.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "gate/record.h"

namespace flashcore::gate {

struct AuditedCase {
  std::string name;                         // "v12_baseline, fp16 b=1 h=8 s=512 d=64"
  std::map<std::string, GateResult> gates;  // as derived, every one of gate_names
};

/// Works every verdict out again from what was measured. A gate that is absent, that lacks a check,
/// whose limit is not the rule's, or whose recorded verdict the measurements do not bear out,
/// fails. `required`: gates that must pass, where skipped and inconclusive are not enough.
AuditedCase audit(const CaseRecord& record, std::span<const std::string> required);

struct AuditTotals {
  int pass = 0, fail = 0, inconclusive = 0, skipped = 0;
};

AuditTotals count(std::span<const AuditedCase> cases);

}  // namespace flashcore::gate
