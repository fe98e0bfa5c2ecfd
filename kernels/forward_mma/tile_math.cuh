// What a warp does with a tile: Q K^T, the softmax, P V. Scores, probabilities and output stay in
// its registers, in the fragments of mma.m16n8k16 (device/tile/fragment.h).
#pragma once

#include "device/attention/online_softmax.h"
#include "device/attention/row_reduction.h"
#include "device/ptx/ldmatrix.h"
#include "device/ptx/mma.h"
#include "device/ptx/opaque.h"
#include "device/ptx/vector.h"
#include "device/ptx/vote.h"
#include "device/tile/fragment.h"
#include "device/tile/swizzle.h"
#include "forward_mma/config.h"

namespace flashcore::forward_mma {

/// 8 elements.
using Chunk = device::Vector<unsigned, 4>;

inline Chunk load_chunk(const void* source) {
  return device::load_vector<unsigned, 4>(static_cast<const unsigned*>(source));
}
inline void store_chunk(const Chunk& chunk, void* target) {
  device::store_vector(chunk, static_cast<unsigned*>(target));
}

template <Config C>
using TileSwizzle = device::Swizzle<chunks(C)>;

/// A warp's scores with step_kv keys.
template <Config C>
using Scores = float[row_tiles(C)][key_tiles(step_kv(C))][4];

/// Steps of 16 keys, what one mma sums over.
constexpr int steps(const Config& config) {
  return step_kv(config) / 16;
}

/// The weights of 16 keys, rounded: two tiles of scores make one A fragment.
template <Config C>
using WeightStep = unsigned[row_tiles(C)][4];

template <Config C>
using Weights = WeightStep<C>[steps(C)];

/// A warp's rows and columns of the output, not yet divided by the sum.
template <Config C>
using Output = float[row_tiles(C)][out_tiles(C)][4];

/// The softmax of the two rows of each row tile that a lane holds.
template <Config C>
using RowStates = device::LazySoftmax[row_tiles(C)][2];

/// A lane's part of its rows' sums over one tile.
template <Config C>
using RowSums = float[row_tiles(C)][2];

/// Where a lane reads a tile: 16 rows by 16 columns at a time, of which it names one row of 8
/// elements. The addresses of one period are kept, the others are immediates of the instructions.
template <typename Swizzle>
struct SwizzledReader {
  device::SharedAddress lines[Swizzle::period];

  SwizzledReader(device::SharedAddress s_tile, device::MatrixRow place) {
    const int first = Swizzle::offset(place.row, place.chunk);
#pragma unroll
    for (int pair = 0; pair < Swizzle::period; ++pair)
      lines[pair] = device::opaque(s_tile + Swizzle::along(first, pair));
  }
  device::SharedAddress at(int row, int column) const {
    const int pair = column / 16;
    return lines[pair % Swizzle::period] + pair / Swizzle::period * Swizzle::period * 32 +
           row * Swizzle::row_bytes;
  }
};

template <Config C>
using TileReader = SwizzledReader<TileSwizzle<C>>;

/// A warp's rows of Q: fragments in registers, or where to read them.
template <Config C, bool InRegisters = C.q_in_registers>
struct QueryTile {
  unsigned r_q[row_tiles(C)][dot_steps(C)][4];

  QueryTile(device::SharedAddress s_q, int lane) {
    const TileReader<C> reader(s_q, device::matrix_row(lane));
#pragma unroll
    for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
      for (int step = 0; step < dot_steps(C); ++step)
        device::load_matrices(r_q[tile][step], reader.at(tile * 16, step * 16));
  }
};

template <Config C>
struct QueryTile<C, false> {
  device::SharedAddress s_q;
  int lane;

  QueryTile(device::SharedAddress s_rows, int lane_index) : s_q(s_rows), lane(lane_index) {}
};

/// Reads the fragments of Q for one product.
template <Config C, bool InRegisters = C.q_in_registers>
struct QueryReader {
  const QueryTile<C>& q;
  explicit QueryReader(const QueryTile<C>& tile) : q(tile) {}
  void fragment(int tile, int step, unsigned (&r_a)[4]) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) r_a[i] = q.r_q[tile][step][i];
  }
};

template <Config C>
struct QueryReader<C, false> {
  TileReader<C> reader;
  explicit QueryReader(const QueryTile<C>& tile)
      : reader(tile.s_q, device::matrix_row(device::opaque(tile.lane))) {}
  void fragment(int tile, int step, unsigned (&r_a)[4]) const {
    device::load_matrices(r_a, reader.at(tile * 16, step * 16));
  }
};

/// r_scores = Q K^T, not scaled. s_k: the first of step_kv keys.
template <Config C>
void multiply_q_k(const QueryTile<C>& q, device::SharedAddress s_k, int lane, Scores<C>& r_scores) {
  using T = device::Storage<C.element>;
  const TileReader<C> k_reader(s_k, device::matrix_row_of_columns(lane));
  const QueryReader<C> q_reader(q);
#pragma unroll
  for (int step = 0; step < dot_steps(C); ++step) {
    unsigned r_q[row_tiles(C)][4];
#pragma unroll
    for (int tile = 0; tile < row_tiles(C); ++tile) q_reader.fragment(tile, step, r_q[tile]);
#pragma unroll
    for (int pair = 0; pair < steps(C); ++pair) {  // 16 keys
      unsigned r_k[4];
      device::load_matrices(r_k, k_reader.at(pair * 16, step * 16));
#pragma unroll
      for (int tile = 0; tile < row_tiles(C); ++tile) {
        float(&left)[4] = r_scores[tile][2 * pair];
        float(&right)[4] = r_scores[tile][2 * pair + 1];
        if (step == 0) {
          device::multiply(T{}, left, r_q[tile], r_k[0], r_k[1]);
          device::multiply(T{}, right, r_q[tile], r_k[2], r_k[3]);
        } else {
          device::multiply_accumulate(T{}, left, r_q[tile], r_k[0], r_k[1]);
          device::multiply_accumulate(T{}, right, r_q[tile], r_k[2], r_k[3]);
        }
      }
    }
  }
}

/// Sets the scores of keys outside [begin, end), which row `half` of a row tile does not see, to
/// -inf. The keys are counted from the first whose score this lane holds.
template <Config C>
void hide_keys(float (&r_scores)[key_tiles(step_kv(C))][4], int half, int begin, int end) {
#pragma unroll
  for (int tile = 0; tile < key_tiles(step_kv(C)); ++tile)
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int key = tile * 8 + i;
      if (key < begin || key >= end) r_scores[tile][half * 2 + i] = -device::infinity;
    }
}

/// The largest score of each of a lane's rows.
template <Config C>
using RowMaxima = float[row_tiles(C)][2];

template <Config C>
void find_maxima(const Scores<C>& r_scores, RowMaxima<C>& maxima) {
#pragma unroll
  for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float largest = -device::infinity;
#pragma unroll
      for (int key_tile = 0; key_tile < key_tiles(step_kv(C)); ++key_tile)
        largest = device::maximum(largest, device::maximum(r_scores[tile][key_tile][half * 2],
                                                           r_scores[tile][key_tile][half * 2 + 1]));
      maxima[tile][half] = device::row_maximum(largest);
    }
}

/// Moves the rows' references to where the tile's scores ask for it, and the output with them.
/// Returns whether every row of the warp has one.
template <Config C>
bool follow_maxima(const RowMaxima<C>& maxima, float scale_log2e, RowStates<C>& rows,
                   Output<C>& r_out) {
  float factors[row_tiles(C)][2];
  bool moved = false;
  bool settled = true;
#pragma unroll
  for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      factors[tile][half] = rows[tile][half].advance(maxima[tile][half] * scale_log2e);
      moved = moved || factors[tile][half] != 1.0F;
      settled = settled && rows[tile][half].reference_max != -device::infinity;
    }
  if (!device::warp_any(moved)) return !device::warp_any(!settled);
#pragma unroll
  for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
    for (int column = 0; column < out_tiles(C); ++column)
#pragma unroll
      for (int i = 0; i < 4; ++i) r_out[tile][column][i] *= factors[tile][i / 2];
  return !device::warp_any(!settled);
}

template <Config C>
void add_sums(const RowSums<C>& sums, RowStates<C>& rows) {
#pragma unroll
  for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
    for (int half = 0; half < 2; ++half) rows[tile][half].row_sum += sums[tile][half];
}

/// Whether a tile's sums show that every weight of the warp is one that fp16 holds. If not (or one
/// is NaN), a score has left the reference far behind.
template <Config C>
bool are_small(const RowSums<C>& sums) {
  constexpr float most = 16384.0F;
  bool small = true;
#pragma unroll
  for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
    for (int half = 0; half < 2; ++half) small = small && sums[tile][half] <= most;
  return !device::warp_any(!small);
}

/// Turns the scores of 16 keys into weights, and adds them to this lane's sums of the rows.
/// Registers 0 and 1 of a fragment are the left tile's two rows, 2 and 3 the right one's.
template <Config C>
void weigh_step(const Scores<C>& r_scores, int step, float scale_log2e, const RowStates<C>& rows,
                RowSums<C>& sums, WeightStep<C>& r_weights) {
  using T = device::Storage<C.element>;
#pragma unroll
  for (int tile = 0; tile < row_tiles(C); ++tile)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int half = i % 2;
      const float(&scores)[4] = r_scores[tile][2 * step + i / 2];
      const float offset = rows[tile][half].offset();
      const float left = device::exp2_approx(scores[half * 2] * scale_log2e - offset);
      const float right = device::exp2_approx(scores[half * 2 + 1] * scale_log2e - offset);
      sums[tile][half] += left + right;
      r_weights[tile][i] = device::pack(T{}, left, right);
    }
}

/// r_out += P V for the 16 keys from row first_key of the tile on.
template <Config C>
void multiply_p_v_step(const WeightStep<C>& r_weights, const TileReader<C>& v_reader, int first_key,
                       Output<C>& r_out) {
  using T = device::Storage<C.element>;
#pragma unroll
  for (int pair = 0; pair < out_tiles(C) / 2; ++pair) {  // 16 columns
    unsigned r_v[4];
    device::load_matrices_transposed(r_v, v_reader.at(first_key, pair * 16));
#pragma unroll
    for (int tile = 0; tile < row_tiles(C); ++tile) {
      const unsigned(&r_p)[4] = r_weights[tile];
      device::multiply_accumulate(T{}, r_out[tile][2 * pair], r_p, r_v[0], r_v[1]);
      device::multiply_accumulate(T{}, r_out[tile][2 * pair + 1], r_p, r_v[2], r_v[3]);
    }
  }
}

}  // namespace flashcore::forward_mma
