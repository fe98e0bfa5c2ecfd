// What the kernel of walk/kernel.cuh is asked and notes; shared with the test.
#pragma once

#include "forward_tma_wgmma/config.h"
#include "forward_tma_wgmma/params.h"

namespace flashcore::walk {

using forward_tma_wgmma::Config;

/// What the tasks depend on: rows, keys of a tile, blocks that share keys or take
/// one task, heads that share tiles.
inline constexpr Config configs[] = {
    {.consumers = 2, .block_kv = 128},
    {.consumers = 3, .block_kv = 96},
    {.consumers = 1, .block_kv = 64},
    {.consumers = 1, .block_kv = 128, .kv_splits = 2},
    {.consumers = 2, .block_kv = 64, .kv_splits = 4},
    {.consumers = 1, .block_kv = 64, .kv_splits = 8},
    {.consumers = 2, .block_kv = 128, .persistent = 0},
    {.consumers = 1, .block_kv = 128, .pack_heads = 1},
    {.consumers = 3, .block_kv = 64, .pack_heads = 1},
    {.consumers = 2, .block_kv = 64, .kv_splits = 2, .pack_heads = 1}};

/// A block's share of a task as it comes to it.
struct Step {
  int rank;
  unsigned q_block;
  int batch, head, kv_head;
  int first_position;
  int last_tile;  // its first key; that of the tile taken last
  int tiles;
};

struct Params {
  forward_tma_wgmma::DealtParams call;
  int config;      // its place among configs
  int most_steps;  // of a block
  Step* g_steps;   // [blocks][most_steps]
  int* g_counts;   // [blocks]: how many each has taken
  int* g_wrong;  // [blocks]: tiles that do not lie side by side, are hidden from who sees them, or
                 // are not plain where they are said to be
  int* g_rows;   // [batch][heads_q][seq_q]: how often a query row is one of a task
};

}  // namespace flashcore::walk
