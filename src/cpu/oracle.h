// The float64 oracle: attention by its definition. Slow, and simple enough to be believed.
#pragma once

#include <vector>

#include "core/host_tensor.h"
#include "core/problem.h"

namespace flashcore::cpu {

/// Dense results, in float64: o is [batch, heads_q, seq_q, head_dim], lse is [batch, heads_q,
/// seq_q], both contiguous.
struct OracleResult {
  std::vector<double> o;
  std::vector<double> lse;
};

/// Attention of the tensors as they are stored (inputs are not rounded further). A fully masked row
/// gives o = 0, lse = -inf.
OracleResult oracle(const core::Problem& problem, const core::Arguments& arguments);

/// The plain implementation whose error is the yardstick of the numerics contract: float32
/// arithmetic, probabilities rounded to the dtype before they meet V, output rounded to the dtype.
/// o is dense, as in OracleResult, and holds the rounded values.
OracleResult plain(const core::Problem& problem, const core::Arguments& arguments);

}  // namespace flashcore::cpu
