// Attention on Hopper: one thread starts tensor copies (TMA), warpgroups multiply (WGMMA) what they
// bring.
//
// A task is block_q = 64 * consumers query rows of one head; a persistent block takes tasks one
// after the other, others one. Dataflow, for each tile of block_kv keys, the last first:
//   global K, V -> (tensor copy, stages ahead) shared, swizzled -> Q K^T -> softmax -> P V,
// scores, weights and output in registers. While a consumer weighs, the other consumers' products
// run, and with overlap_output its own P V of the tile before.
#pragma once

#include "device/ptx/arguments.h"
#include "device/ptx/dependent_launch.h"
#include "device/ptx/warpgroup.h"
#include "device/tile/warpgroup.h"
#include "forward_tma_wgmma/consumer.cuh"
#include "forward_tma_wgmma/producer.cuh"

namespace flashcore::forward_tma_wgmma {

/// The barriers that announce the first copies.
template <Config C>
void init_first_barriers() {
  auto& barriers = Shared<C>::barriers();
  for (int consumer = 0; consumer < C.consumers; ++consumer)
    device::init(barriers.q_full[0][consumer], 1);
  device::init(barriers.k_full[0], 1);
  device::init(barriers.v_full[0], 1);
  device::fence_barrier_init();
}

template <Config C>
void init_other_barriers() {
  auto& barriers = Shared<C>::barriers();
  constexpr int warps = 4;  // of a warpgroup
  for (int stage = 0; stage < C.q_stages; ++stage)
    for (int consumer = 0; consumer < C.consumers; ++consumer) {
      if (stage > 0) device::init(barriers.q_full[stage][consumer], 1);
      device::init(barriers.q_empty[stage][consumer], warps);
    }
  for (int stage = 0; stage < C.stages; ++stage) {
    if (stage > 0) device::init(barriers.k_full[stage], 1);
    if (stage > 0) device::init(barriers.v_full[stage], 1);
    device::init(barriers.k_empty[stage], warps * C.consumers);
    device::init(barriers.v_empty[stage], warps * C.consumers);
  }
  if constexpr (C.kv_splits > 1)
    for (int consumer = 0; consumer < C.consumers; ++consumer)
      for (int warp = 0; warp < warps; ++warp)
        Merge<C>::init_barrier(barriers.parts[consumer][warp], warp);
  device::fence_barrier_init();
}

/// By warps that have nothing else to do before the block's barrier, a line each. Blocks that do
/// not share keys are not sooner done for it.
template <Config C>
void fetch_arguments(const ParamsOf<C>& params) {
  constexpr int line_bytes = 64;
  constexpr int bytes = sizeof(Params) - 3 * sizeof(device::TensorMap);  // without those at the end
  const int first = (device::warp_index() - 2) * line_bytes;
  if (first < bytes)
    device::touch(*reinterpret_cast<const unsigned*>(
        reinterpret_cast<const unsigned char*>(&params) + first));
}

template <Config C>
void run(const ParamsOf<C>& params) {
  static_assert(registers_suffice(C));
  Producer<C> producer(params);
  // One warp each: the first copies set out as early as they can.
  if (device::thread_index() == 0) {
    init_first_barriers<C>();
    device::wait_for_predecessor();  // all else that touches tensors comes after the first copies
    producer.start();
  } else if (device::thread_index() == 32) {
    init_other_barriers<C>();
  } else if (C.kv_splits > 1 && device::warp_index() >= 2) {
    fetch_arguments<C>(params);
  }
  device::block_barrier();  // the barriers are initialised
  device::allow_successor();
  if constexpr (C.kv_splits > 1) device::cluster_arrive_relaxed();

  if (device::warpgroup_index() == 0) {
    if constexpr (divides_registers(C)) device::set_registers_down<producer_registers(C)>();
    if (device::thread_index() == 0) producer.run();
  } else {
    if constexpr (divides_registers(C)) device::set_registers_up<consumer_registers(C)>();
    Consumer<C>(params, device::uniform(device::warpgroup_index()) - 1).run();
  }
}

template <Config C>
requires(C.kv_splits == 1) __global__ void __launch_bounds__(threads(C), 1)
    forward(const __grid_constant__ ParamsOf<C> params) {
  run<C>(params);
}

/// A launch is sooner prepared where the program says how large clusters are.
template <Config C>
requires(C.kv_splits > 1) __global__ void __cluster_dims__(C.kv_splits, 1, 1)
    __launch_bounds__(threads(C), 1) forward(const __grid_constant__ ParamsOf<C> params) {
  run<C>(params);
}

}  // namespace flashcore::forward_tma_wgmma
