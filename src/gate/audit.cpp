#include "gate/audit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "dispatch/variants.h"
#include "gate/ladder.h"
#include "gate/ptxas.h"
#include "gate/rules.h"

namespace flashcore::gate {

namespace {

const Check* find_check(const GateResult& result, std::string_view what) {
  const auto found = std::find_if(result.checks.begin(), result.checks.end(),
                                  [&](const Check& check) { return check.what == what; });
  return found == result.checks.end() ? nullptr : &*found;
}

bool close(double a, double b) {
  return std::abs(a - b) <= 1e-9 * std::max(1.0, std::abs(b));
}

/// The limit that the rules set for a check; empty where the user may set one.
std::optional<double> rule_limit(const CaseRecord& record, std::string_view what) {
  if (what == "max_error") return absolute_error_limit(record.problem).value_or(0);
  if (what == "roofline_fraction") return 1;
  if (what == "cold_us") return cold_target_us(record);
  if (what == "multiple_of_flash") {
    const dispatch::Rung* rung = dispatch::find_rung(record.variant);
    return rung == nullptr ? 0 : rung->limit;
  }
  if (what == "ratio_to_best_peer" && record.on_gpu()) return std::nullopt;
  if (what == "ratio_to_best_peer") return cpu_ratio_target;
  return 0;
}

/// The number of the record that a check repeats, and its noise; empty for a check that stands for
/// itself.
std::optional<std::pair<double, double>> recorded_as(const CaseRecord& record,
                                                     std::string_view what) {
  constexpr double never = -1;
  if (what == "cold_us")
    return std::pair{record.timing ? record.timing->cold.median : never, record.noise};
  if (what == "ratio_to_best_peer")
    return std::pair{record.best_peer ? record.best_peer->ratio.median : never,
                     record.best_peer ? record.best_peer->noise : 0};
  if (what == "multiple_of_flash") {
    const PeerRecord* flash = find_peer(record, ladder_peer);
    return flash == nullptr ? std::pair{never, 0.0}
                            : std::pair{flash->comparison->ratio.median, flash->comparison->noise};
  }
  if (what == "roofline_fraction" && record.roofline)
    return std::pair{record.roofline->fraction, 0.0};
  return std::nullopt;
}

/// Why a check cannot be what the gate measured; empty where it can.
std::string objection(const CaseRecord& record, const Check& check) {
  const auto limit = rule_limit(record, check.what);
  if (limit && check.limit > *limit)
    return fmt::format("{} has the limit {}, the rule is {}", check.what, check.limit, *limit);
  const auto recorded = recorded_as(record, check.what);
  if (recorded && !close(check.measured, recorded->first))
    return fmt::format("{} {} differs from the record's {}", check.what, check.measured,
                       recorded->first);
  const double noise = recorded ? recorded->second : 0;
  if (check.noise > noise)
    return fmt::format("{} claims a noise of {}, the record has {}", check.what, check.noise,
                       noise);
  return "";
}

/// Why the answer as a whole cannot be believed; empty where it can.
std::string objection(const CaseRecord& record, std::string_view gate, const GateResult& result) {
  if (result.verdict == Verdict::skipped && result.checks.empty()) return "";
  if (result.verdict == Verdict::fail && result.checks.empty())
    return "";  // a crash has no numbers
  for (const std::string_view what : required_checks(gate))
    if (find_check(result, what) == nullptr) return fmt::format("the check {} is missing", what);
  for (const Check& check : result.checks)
    if (std::string why = objection(record, check); !why.empty()) return why;
  if (gate == "ptxas") {
    if (record.ptxas.empty()) return "no compiler's report is recorded";
    for (const Check& again : ptxas_checks(record.ptxas))
      if (!close(find_check(result, again.what)->measured, again.measured))
        return fmt::format("{} {} differs from the recorded reports' {}", again.what,
                           find_check(result, again.what)->measured, again.measured);
  }
  return "";
}

/// A target that the rules set must have been judged.
std::string missing_target(const CaseRecord& record, std::string_view gate,
                           const GateResult& result) {
  if (result.verdict == Verdict::fail) return "";
  if (gate == ladder_gate) {
    const dispatch::Rung* rung = dispatch::find_rung(record.variant);
    const bool judged = find_check(result, "multiple_of_flash") != nullptr;
    if (rung != nullptr && rung->limit > 0 && find_peer(record, ladder_peer) != nullptr && !judged)
      return "the limit of this rung was not judged";
  }
  if (gate != "latency") return "";
  if (record.timing && cold_target_us(record) && find_check(result, "cold_us") == nullptr)
    return "the target of this shape was not judged";
  if (!record.on_gpu() && record.best_peer && find_check(result, "ratio_to_best_peer") == nullptr)
    return "the ratio to the best peer was not judged";
  return "";
}

GateResult audit_gate(const CaseRecord& record, std::string_view gate) {
  const auto found = record.gates.find(std::string{gate});
  if (found == record.gates.end()) return broken("absent from the result");
  GateResult result = found->second;
  const auto refuse = [&](std::string_view why) {
    return GateResult{Verdict::fail,
                      fmt::format("recorded as {}, but {}", name(result.verdict), why),
                      result.checks};
  };
  if (const std::string why = objection(record, gate, result); !why.empty()) return refuse(why);
  if (const std::string why = missing_target(record, gate, result); !why.empty())
    return refuse(why);
  if (result.checks.empty()) {
    if (result.verdict == Verdict::pass || result.verdict == Verdict::inconclusive)
      return refuse("nothing was measured");
    return result;
  }
  const Verdict derived = verdict_of(result.checks);
  if (derived != result.verdict)
    return refuse(fmt::format("what was measured says {}", name(derived)));
  return result;
}

}  // namespace

AuditedCase audit(const CaseRecord& record, std::span<const std::string> required) {
  AuditedCase audited{fmt::format("{}, {}", record.variant, record.problem.to_string()), {}};
  const auto asked_for = [&](std::string_view gate) {
    return std::find(required.begin(), required.end(), gate) != required.end();
  };
  std::vector<std::string_view> gates(gate_names.begin(), gate_names.end());
  if (record.gates.contains(std::string{ladder_gate}) || asked_for(ladder_gate))
    gates.push_back(ladder_gate);
  if (record.backend == dispatch::name(dispatch::Backend::emulator)) gates.push_back(conflict_gate);
  for (const std::string_view gate : gates) {
    GateResult result = audit_gate(record, gate);
    const bool must_pass = asked_for(gate);
    if (must_pass &&
        (result.verdict == Verdict::skipped || result.verdict == Verdict::inconclusive)) {
      result.detail = fmt::format("required, but {}: {}", name(result.verdict), result.detail);
      result.verdict = Verdict::fail;
    }
    audited.gates.emplace(gate, std::move(result));
  }
  return audited;
}

AuditTotals count(std::span<const AuditedCase> cases) {
  AuditTotals totals;
  for (const AuditedCase& each : cases)
    for (const auto& [gate, result] : each.gates) switch (result.verdict) {
        case Verdict::pass: ++totals.pass; break;
        case Verdict::fail: ++totals.fail; break;
        case Verdict::inconclusive: ++totals.inconclusive; break;
        case Verdict::skipped: ++totals.skipped; break;
      }
  return totals;
}

}  // namespace flashcore::gate
