// A gate's answer, and how it follows from what was measured: one function, used when a gate is run
// and again when a recorded result is audited.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flashcore::gate {

enum class Verdict { pass, fail, inconclusive, skipped };

constexpr std::string_view name(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass: return "pass";
    case Verdict::fail: return "fail";
    case Verdict::inconclusive: return "inconclusive";
    case Verdict::skipped: return "skipped";
  }
  return "unknown";
}

std::optional<Verdict> verdict_from_name(std::string_view text);

/// In the order in which they are run and shown.
inline constexpr std::array<std::string_view, 6> gate_names{
    "ptxas", "correctness", "determinism", "stability", "safety", "latency"};

/// Asked only of a case that ran as a rung of the ladder: absent elsewhere.
inline constexpr std::string_view ladder_gate = "ladder";

/// Asked only of a case on the emulator: absent elsewhere.
inline constexpr std::string_view conflict_gate = "tile_conflicts";

/// One number that must be at most its limit. A measured NaN is over every limit.
struct Check {
  std::string what;  // "incorrect_trials"
  double measured = 0;
  double limit = 0;
  double noise = 0;  // relative: the true value lies within measured * (1 - noise … 1 + noise)

  bool operator==(const Check&) const = default;
};

/// pass or fail; inconclusive where the noise spans the limit.
Verdict verdict_of(const Check& check);

struct GateResult {
  Verdict verdict = Verdict::skipped;
  std::string detail;         // for people: what was found, or why it was skipped
  std::vector<Check> checks;  // what the verdict follows from; empty only where skipped

  bool operator==(const GateResult&) const = default;
};

/// The worst verdict of the checks. With no checks nothing was shown: fail.
Verdict verdict_of(const std::vector<Check>& checks);

/// The verdict of the checks, with `detail` preceded by the checks that are over their limits.
GateResult judge(std::vector<Check> checks, const std::string& detail);

/// The gates of a result in the order in which they are shown.
std::vector<std::string_view> names_of(const std::map<std::string, GateResult>& gates);

GateResult skipped(std::string why);
/// A failure that has no number: a crash, a hang, an exception.
GateResult broken(std::string why);

}  // namespace flashcore::gate
