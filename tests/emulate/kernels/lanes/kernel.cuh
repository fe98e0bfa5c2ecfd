// A warp passes its words through the helpers that have no other test.
#pragma once

#include "device/ptx/element.h"
#include "device/ptx/opaque.h"
#include "device/ptx/thread.h"
#include "device/ptx/wgmma.h"
#include "device/tile/quad.h"
#include "lanes/params.h"

namespace flashcore::lanes {

template <typename T>
unsigned not_finite(const unsigned* g_own) {
  unsigned sum = 0;
  for (int i = 0; i < 8; ++i) sum = device::add_zero_times(T{}, g_own[i], sum);
  return sum;
}

inline void kernel(const Params params) {
  const int lane = device::lane_index();
  const unsigned* g_own = params.g_words + lane * 8;
  unsigned pair[2] = {g_own[0], g_own[1]};
  device::transpose_pair(pair, lane);
  for (int i = 0; i < 2; ++i) params.g_pairs[lane * 2 + i] = pair[i];

  unsigned words[2][4], a[2][4] = {};
  for (int i = 0; i < 8; ++i) words[i / 4][i % 4] = g_own[i];
  device::refill(a, words);
  for (int i = 0; i < 8; ++i) params.g_refilled[lane * 8 + i] = a[i / 4][i % 4];

  params.g_uniform[lane] = device::uniform(device::warp_index() + 7);
  params.g_opaque[lane] =
      device::opaque(static_cast<unsigned long long>(g_own[1]) << 32 | g_own[0]);
  params.g_not_finite[0][lane] = not_finite<device::Float16>(g_own);
  params.g_not_finite[1][lane] = not_finite<device::BFloat16>(g_own);
}

}  // namespace flashcore::lanes
