// Random Problems that cover the numerics contract: the property tests' source.
#pragma once

#include <cstdint>
#include <span>

#include "core/host_tensor.h"
#include "core/problem.h"

namespace flashcore::gate {

struct RandomLimits {
  std::int64_t max_batch = 3;
  std::int64_t max_heads_kv = 3;
  std::int64_t max_group = 4;
  std::int64_t max_seq = 200;
  std::int64_t max_head_dim = 128;
  std::int64_t head_dim_multiple = 1;
  std::span<const core::Dtype> dtypes = core::all_dtypes;
};

/// One Problem drawn by the seed: dtypes, grouped heads, lengths from 1 (keys from 0) with tile
/// borders and their neighbours favoured, every mask kind, windows, and BHSD, BSHD or padded
/// strides.
core::Problem random_problem(std::uint64_t seed, const RandomLimits& limits);

}  // namespace flashcore::gate
