// The end of a forward kernel whose output lies in shared memory: from there to global memory.
#pragma once

#include "device/attention/row_block.h"
#include "device/ptx/element.h"
#include "device/ptx/math.h"
#include "device/ptx/thread.h"
#include "device/ptx/vector.h"
#include "device/ptx/vote.h"
#include "device/tile/row_lanes.h"

namespace flashcore::device {

/// Writes O = inverse_sum * (sum over Parts of s_out) for every row of the block. A row that comes
/// out not finite is computed again over its visible keys alone (careful_row.h).
///   s_out          float [Parts][block_q][stride]
///   s_inverse_sum  float [block_q], 0 for a row that sees no key
template <int HeadDim, int Parts, typename T>
inline void write_rows(const ForwardParams& params, const RowBlock<T>& block, int block_q,
                       const float* s_out, int stride, const float* s_inverse_sum, int warps) {
  constexpr RowLanes share = row_lanes_for(HeadDim);
  const int column = lane_index() % share.lanes * vector_elements;
  const int row_of_warp = lane_index() / share.lanes;

#pragma unroll 1
  for (int first = warp_index() * share.rows; first < block.rows; first += warps * share.rows) {
    const int row = first + row_of_warp;
    bool finite = true;
    if (row < block.rows && column < params.head_dim) {
      const float inverse_sum = s_inverse_sum[row];
      Vector<T, vector_elements> out;
#pragma unroll
      for (int half = 0; half < vector_elements; half += 4) {
        float r_out[4] = {0.0F, 0.0F, 0.0F, 0.0F};
#pragma unroll
        for (int part = 0; part < Parts; ++part) {
          const auto piece =
              load_vector<float, 4>(s_out + (part * block_q + row) * stride + column + half);
#pragma unroll
          for (int e = 0; e < 4; ++e) r_out[e] += piece.values[e];
        }
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const float value = r_out[e] * inverse_sum;
          finite = finite && is_finite(value);
          from_float(value, out.values[half + e]);
        }
      }
      store_vector(out, block.g_o + row * params.o_strides.seq + column);
    }
    if (!warp_any(!finite)) continue;
#pragma unroll 1
    for (int suspect = 0; suspect < share.rows; ++suspect)
      if (warp_any(!finite && row_of_warp == suspect))
        rewrite_row_carefully(careful(params, block, first + suspect), lane_index(),
                              block.g_o + (first + suspect) * params.o_strides.seq);
  }
}

}  // namespace flashcore::device
