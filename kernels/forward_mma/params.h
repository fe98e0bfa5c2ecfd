// forward_mma's arguments.
#pragma once

#include "device/attention/narrow_call.h"
#include "device/tile/divisor.h"

namespace flashcore::forward_mma {

/// What one split found for one row: weights are 2^(score - max), in base 2.
struct PartialRow {
  float max;
  float sum;
};

struct Params : device::NarrowParams {
  // With kv_splits > 1, where rows count through [batch, heads_q, seq_q]:
  device::Divisor kv_splits;
  device::Divisor rows_of_head;          // seq_q
  float* g_partial_out = nullptr;        // [kv_splits, rows, head_dim], not yet divided by sum
  PartialRow* g_partial_rows = nullptr;  // [kv_splits, rows]
  long long rows = 0;                    // batch * heads_q * seq_q
};

}  // namespace flashcore::forward_mma
