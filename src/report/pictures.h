// The pictures that results give. Empty where the results hold nothing for one.
#pragma once

#include <optional>
#include <span>

#include "gate/record.h"
#include "profile/profile.h"
#include "report/plot.h"

namespace flashcore::report {

/// Throughput against arithmetic intensity (operations for each byte of the tensors), beside what
/// the GPU allows: by its data sheet, and as a matrix product and a copy reached it in the same
/// run. A profile adds a point at the intensity that the memory's counters show.
std::optional<Picture> roofline_picture(std::span<const gate::CaseRecord> cases,
                                        std::span<const profile::ProfileRecord> profiles);

/// Every rung's time as a multiple of SDPA's flash backend, with its limit.
std::optional<Picture> ladder_picture(std::span<const gate::CaseRecord> cases);

/// Throughput against sequence length at a constant number of tokens, a panel for each head_dim and
/// mask.
std::optional<Picture> sweep_picture(std::span<const gate::CaseRecord> cases);

/// The times of calls that take so little that latency is most of it, a line for each Problem,
/// where there are two or more.
std::optional<Picture> latency_picture(std::span<const gate::CaseRecord> cases);

/// Why warps waited, kernel by kernel.
std::optional<Picture> stall_picture(std::span<const profile::ProfileRecord> profiles);

}  // namespace flashcore::report
