// Attention on Hopper: one warp starts tensor copies (TMA), warpgroups multiply (WGMMA) what they
// bring.
//
// A block owns block_q = 64 * consumers query rows of one head. Dataflow, for each tile of block_kv
// keys, the last first:
//   global K, V -> (tensor copy, stages ahead) shared, swizzled -> Q K^T -> softmax -> P V,
// scores, weights and output in registers. A consumer's Q K^T of one tile runs beside its P V of
// the one before; with take_turns one consumer multiplies while the other weighs.
#pragma once

#include "device/ptx/warpgroup.h"
#include "device/tile/warpgroup.h"
#include "forward_tma_wgmma/consumer.cuh"
#include "forward_tma_wgmma/epilogue.cuh"
#include "forward_tma_wgmma/producer.cuh"

namespace flashcore::forward_tma_wgmma {

enum class Role { producer, consumer };

inline Role role() {
  return device::warpgroup_index() == 0 ? Role::producer : Role::consumer;
}

template <Config C>
void init_barriers() {
  auto& barriers = Shared<C>::barriers();
  device::init(barriers.q_full, 1);
  for (int stage = 0; stage < C.stages; ++stage) {
    device::init(barriers.k_full[stage], 1);
    device::init(barriers.v_full[stage], 1);
    device::init(barriers.k_empty[stage], 4 * C.consumers);  // each consumer warp
    device::init(barriers.v_empty[stage], 4 * C.consumers);
  }
  device::fence_barrier_init();
}

template <Config C>
__global__ void __launch_bounds__(threads(C), 1) forward(const __grid_constant__ Params params) {
  const BlockTask task = block_task<C>(params);
  if (device::thread_index() == 0) init_barriers<C>();
  device::block_barrier();  // the barriers are initialised

  if (role() == Role::producer) {
    device::set_registers_down<producer_registers(C)>();
    if (device::thread_index() == 0) produce<C>(params, task);
  } else {
    device::set_registers_up<consumer_registers(C)>();
    const int group = device::warpgroup_index() - 1;
    const int first_row = task.first_row + group * warpgroup_rows;
    const int lane = device::lane_index();
    Consumer<C> consumer{params,    task, group,
                         first_row, lane, first_row + device::warp_index() % 4 * 16 + lane / 4};
    consumer.run();
    Epilogue<C>{consumer, params, task}.store();
  }
}

}  // namespace flashcore::forward_tma_wgmma
