// The ladder gate: a rung against its limit, a multiple of SDPA's flash backend in the same run.
#pragma once

#include <optional>

#include "gate/record.h"

namespace flashcore::gate {

inline constexpr std::string_view ladder_peer = "flash";

/// From the record's peers. Skipped where the rung has no limit or nothing was measured.
GateResult judge_ladder(const CaseRecord& record);

/// The most microseconds that the rules allow this case, cold; empty where they set none. A rung
/// that is declared slower than SDPA is held to its own limit instead of the mission's.
std::optional<double> cold_target_us(const CaseRecord& record);

/// The peer of that backend; null where the record has none that was compared.
const PeerRecord* find_peer(const CaseRecord& record, std::string_view backend);

}  // namespace flashcore::gate
