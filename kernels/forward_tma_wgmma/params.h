// forward_tma_wgmma's arguments.
#pragma once

#include "device/attention/narrow_call.h"
#include "device/tensor_map.h"

namespace flashcore::forward_tma_wgmma {

struct Params : device::NarrowParams {
  // [batch, heads, seq, head_dim] each, in boxes of 64 columns, swizzled by 128 bytes: by 64 rows
  // of q, block_kv of k and v, and a warp's 16 of o.
  device::TensorMap q_map, k_map, v_map, o_map;
};

}  // namespace flashcore::forward_tma_wgmma
