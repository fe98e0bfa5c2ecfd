#include "gate/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace flashcore::gate {

std::optional<Verdict> verdict_from_name(std::string_view text) {
  for (const Verdict verdict :
       {Verdict::pass, Verdict::fail, Verdict::inconclusive, Verdict::skipped})
    if (name(verdict) == text) return verdict;
  return std::nullopt;
}

Verdict verdict_of(const Check& check) {
  if (!(check.noise >= 0) || !std::isfinite(check.limit)) return Verdict::fail;
  if (!std::isfinite(check.measured)) return Verdict::fail;
  if (check.noise > 0) {
    const double spread = std::abs(check.measured) * check.noise;
    if (check.measured - spread <= check.limit && check.limit < check.measured + spread)
      return Verdict::inconclusive;
  }
  return check.measured <= check.limit ? Verdict::pass : Verdict::fail;
}

Verdict verdict_of(const std::vector<Check>& checks) {
  if (checks.empty()) return Verdict::fail;
  Verdict worst = Verdict::pass;
  for (const Check& check : checks) {
    const Verdict verdict = verdict_of(check);
    if (verdict == Verdict::fail) return Verdict::fail;
    if (verdict == Verdict::inconclusive) worst = Verdict::inconclusive;
  }
  return worst;
}

GateResult judge(std::vector<Check> checks, const std::string& detail) {
  std::string over;
  for (const Check& check : checks) {
    const Verdict verdict = verdict_of(check);
    if (verdict == Verdict::pass) continue;
    over += fmt::format("{} {:.4g}{} {} {:.4g}; ", check.what, check.measured,
                        check.noise > 0 ? fmt::format(" ± {:.1f}%", 100 * check.noise) : "",
                        verdict == Verdict::fail ? "is over the limit" : "spans the limit",
                        check.limit);
  }
  const Verdict verdict = verdict_of(checks);
  if (detail.empty() && !over.empty()) over.resize(over.size() - 2);
  return {verdict, over + detail, std::move(checks)};
}

std::vector<std::string_view> names_of(const std::map<std::string, GateResult>& gates) {
  std::vector<std::string_view> names;
  for (const std::string_view name : gate_names)
    if (gates.contains(std::string{name})) names.push_back(name);
  for (const auto& [name, result] : gates)
    if (std::find(gate_names.begin(), gate_names.end(), name) == gate_names.end())
      names.push_back(name);
  return names;
}

GateResult skipped(std::string why) {
  return {Verdict::skipped, std::move(why), {}};
}

GateResult broken(std::string why) {
  return {Verdict::fail, std::move(why), {}};
}

}  // namespace flashcore::gate
