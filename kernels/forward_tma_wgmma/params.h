// forward_tma_wgmma's arguments.
#pragma once

#include "device/attention/narrow_call.h"
#include "device/tensor_map.h"

namespace flashcore::forward_tma_wgmma {

/// Tasks, a block of query rows of a head each, are counted through sections of heads whose K and V
/// the L2 cache holds at once: in a section all heads' last rows come first.
struct TaskOrder {
  unsigned tasks = 0;
  unsigned blocks = 0;                 // of the grid
  device::Divisor section;             // tasks of a whole section
  device::Divisor section_heads;       // heads of a whole section, of all batches
  device::Divisor last_section_heads;  // of the last one
  unsigned sections = 0;
};

struct Params : device::NarrowParams {
  // [batch, heads, seq, head_dim] each, in boxes of 64 columns, swizzled by 128 bytes: by 64 rows
  // of q, block_kv of k and v.
  device::TensorMap q_map, k_map, v_map;
  TaskOrder order;
};

}  // namespace flashcore::forward_tma_wgmma
