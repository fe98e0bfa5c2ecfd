// What every forward kernel needs to know of a call; a family's Params is this, or begins with it.
#pragma once

#include "device/attention/band.h"
#include "device/attention/tensor.h"
#include "device/tile/divisor.h"

namespace flashcore::device {

struct ForwardParams {
  const void* g_q = nullptr;  // [batch, heads_q, seq_q, head_dim]
  const void* g_k = nullptr;  // [batch, heads_kv, seq_kv, head_dim]
  const void* g_v = nullptr;  // [batch, heads_kv, seq_kv, head_dim]
  void* g_o = nullptr;        // [batch, heads_q, seq_q, head_dim]
  float* g_lse = nullptr;     // [batch, heads_q, seq_q], or null
  RowStrides q_strides, k_strides, v_strides, o_strides;
  RowStrides lse_strides;
  Band band;
  long long seq_q, seq_kv;
  Divisor q_blocks;          // blocks of query rows in seq_q
  Divisor heads_q;           // query heads
  Divisor group_size;        // query heads per key head
  int head_dim;              // the Problem's
  float scale_log2e = 0.0F;  // scale * log2(e)
};

}  // namespace flashcore::device
