// Attention with the tensor cores through WMMA, whose fragments hide which lane holds what: scores
// must pass through shared memory to be made into probabilities.
//
// A block owns block_q query rows of one head; all its warps work on one tile of block_kv keys at a
// time. Dataflow:
//   global K, V -> registers -> s_k, s_v (a stage ahead) -> Q.K fragments -> s_scores
//     -> softmax, row_lanes threads per row -> s_probs, s_row_factor -> P.V fragments in registers.
// Masked keys have probability 0 and still enter the product with V; write_rows mends the rows that
// this brings a NaN or an infinity to.
#pragma once

#include "device/attention/online_softmax.h"
#include "device/attention/row_block.h"
#include "device/attention/write_rows.h"
#include "device/ptx/element.h"
#include "device/ptx/math.h"
#include "device/ptx/shuffle.h"
#include "device/ptx/thread.h"
#include "device/ptx/vector.h"
#include "device/ptx/wmma.h"
#include "device/tile/ring.h"
#include "forward_wmma/config.h"
#include "forward_wmma/layout.h"
#include "forward_wmma/params.h"

namespace flashcore::forward_wmma {

/// Rows of head_dim elements on their way from global to shared memory, 16 bytes at a time. Rows
/// and columns outside the tensor are 0: what multiplies them must not be NaN.
template <Config C, typename T, int Rows>
struct Carrier {
  static constexpr int per_row = C.head_dim / vector;
  static constexpr int count = (Rows * per_row + threads(C) - 1) / threads(C);

  device::Vector<T, vector> r_vectors[count];

  /// Rows [first_row, first_row + Rows) of which row_count exist, counted from row 0 of the tensor.
  void load(const T* g_rows, long long stride, long long first_row, long long row_count,
            int head_dim) {
#pragma unroll
    for (int i = 0; i < count; ++i) {
      const int index = i * threads(C) + device::thread_index();
      const long long row = first_row + index / per_row;
      const int column = index % per_row * vector;
      const bool wanted = index < Rows * per_row && row < row_count && column < head_dim;
      r_vectors[i] = wanted ? device::load_vector<T, vector>(g_rows + row * stride + column)
                            : device::Vector<T, vector>{};
    }
  }

  void store(T* s_rows) const {
#pragma unroll
    for (int i = 0; i < count; ++i) {
      const int index = i * threads(C) + device::thread_index();
      if (index < Rows * per_row)
        device::store_vector(r_vectors[i],
                             s_rows + index / per_row * head_stride(C) + index % per_row * vector);
    }
  }
};

/// s_scores = Q.K of a tile, fragment by fragment, each by one warp.
template <Config C, typename T>
void compute_scores(const T* s_q, const T* s_k, float* s_scores) {
#pragma unroll 1
  for (int i = device::warp_index(); i < score_fragments(C); i += C.warps) {
    const auto [row, key] = fragment_place(C, i);
    device::AccumulatorFragment r_scores;
    device::clear(r_scores);
#pragma unroll
    for (int column = 0; column < C.head_dim; column += edge) {
      device::LeftFragment<T> r_q;
      device::RightFragmentTransposed<T> r_k;
      device::load_fragment(s_q + row * head_stride(C) + column, head_stride(C), r_q);
      device::load_fragment(s_k + key * head_stride(C) + column, head_stride(C), r_k);
      device::multiply_add(r_q, r_k, r_scores);
    }
    device::store_fragment(r_scores, s_scores + row * key_stride(C) + key, key_stride(C));
  }
}

/// Turns a row's scores into probabilities relative to its running maximum, and returns the factor
/// for what was accumulated before. The row's lanes share it; softmax.row_sum holds a lane's part.
template <Config C, typename T>
float row_softmax(const float* s_row_scores, T* s_row_probs, int row_lane, device::TileKeys keys,
                  float scale_log2e, device::OnlineSoftmax& softmax) {
  float r_scores[keys_per_lane(C)];
  float largest = -device::infinity;
#pragma unroll
  for (int place = 0; place < keys_per_lane(C); place += 4) {
    const int key = lane_key(C, row_lane, place);
    const auto scores = device::load_vector<float, 4>(s_row_scores + key);
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float score =
          keys.contains(key + e) ? scores.values[e] * scale_log2e : -device::infinity;
      largest = device::maximum(largest, score);
      r_scores[place + e] = score;
    }
  }
#pragma unroll
  for (int distance = 1; distance < row_lanes(C); distance *= 2)
    largest = device::maximum(largest, device::shuffle_xor(largest, distance));
  const float factor = softmax.advance(largest);
#pragma unroll
  for (int place = 0; place < keys_per_lane(C); place += 4) {
    device::Vector<T, 4> probs;
#pragma unroll
    for (int e = 0; e < 4; ++e) {
      const float prob = softmax.weight(r_scores[place + e]);
      softmax.row_sum += prob;
      device::from_float(prob, probs.values[e]);
    }
    device::store_vector(probs, s_row_probs + lane_key(C, row_lane, place));
  }
  return factor;
}

/// The output in fragments: warp w of the block holds those numbered w, w + warps, …
template <Config C, typename T>
struct FragmentOutput {
  device::AccumulatorFragment r_out[out_fragments_per_warp(C)];

  static int number(int place) { return place * C.warps + device::warp_index(); }
  static FragmentPlace at(int place) { return fragment_place(C, number(place)); }
  static bool exists(int place) {
    return out_fragments(C) % C.warps == 0 || number(place) < out_fragments(C);
  }

  void clear() {
#pragma unroll
    for (auto& r_fragment : r_out) device::clear(r_fragment);
  }

  /// r_out = r_out * s_row_factor + P.V
  void accumulate(const float* s_row_factor, const T* s_probs, const T* s_v) {
#pragma unroll
    for (int place = 0; place < out_fragments_per_warp(C); ++place) {
      if (!exists(place)) continue;
      const auto [row, column] = at(place);
      device::AccumulatorFragment r_factor;
      device::load_row_values(s_row_factor + row, r_factor);
      device::scale(r_out[place], r_factor);
#pragma unroll
      for (int key = 0; key < C.block_kv; key += edge) {
        device::LeftFragment<T> r_probs;
        device::RightFragment<T> r_v;
        device::load_fragment(s_probs + row * key_stride(C) + key, key_stride(C), r_probs);
        device::load_fragment(s_v + key * head_stride(C) + column, head_stride(C), r_v);
        device::multiply_add(r_probs, r_v, r_out[place]);
      }
    }
  }

  void store(float* s_out) const {
#pragma unroll
    for (int place = 0; place < out_fragments_per_warp(C); ++place) {
      if (!exists(place)) continue;
      const auto [row, column] = at(place);
      device::store_fragment(r_out[place], s_out + row * head_stride(C) + column, head_stride(C));
    }
  }
};

/// The output in ordinary registers: the lanes of a row hold its vectors in turn.
template <Config C, typename T>
struct LaneOutput {
  float r_out[vectors_per_lane(C)][vector];

  static int row() { return device::thread_index() / row_lanes(C); }
  static int column(int place) {
    return (place * row_lanes(C) + device::thread_index() % row_lanes(C)) * vector;
  }
  static bool exists(int place) { return row() < C.block_q && column(place) < C.head_dim; }

  void clear() {
#pragma unroll
    for (auto& r_vector : r_out)
#pragma unroll
      for (float& value : r_vector) value = 0.0F;
  }

  /// r_out = r_out * s_row_factor + P.V
  void accumulate(const float* s_row_factor, const T* s_probs, const T* s_v) {
    if (row() >= C.block_q) return;
    const float factor = s_row_factor[row()];
#pragma unroll
    for (auto& r_vector : r_out)
#pragma unroll
      for (float& value : r_vector) value *= factor;
#pragma unroll 4
    for (int key = 0; key < C.block_kv; ++key) {
      const float prob = device::to_float(s_probs[row() * key_stride(C) + key]);
#pragma unroll
      for (int place = 0; place < vectors_per_lane(C); ++place) {
        if (!exists(place)) continue;
        const auto values =
            device::load_vector<T, vector>(s_v + key * head_stride(C) + column(place));
#pragma unroll
        for (int e = 0; e < vector; ++e)
          r_out[place][e] += prob * device::to_float(values.values[e]);
      }
    }
  }

  void store(float* s_out) const {
#pragma unroll
    for (int place = 0; place < vectors_per_lane(C); ++place) {
      if (!exists(place)) continue;
#pragma unroll
      for (int e = 0; e < vector; ++e)
        s_out[row() * head_stride(C) + column(place) + e] = r_out[place][e];
    }
  }
};

template <Config C, typename T>
struct OutputOf {
  using Type = FragmentOutput<C, T>;
};
template <Config C, typename T>
requires(C.products == Products::scores) struct OutputOf<C, T> {
  using Type = LaneOutput<C, T>;
};

template <Config C>
__global__ void __launch_bounds__(threads(C), 1) forward(const __grid_constant__ Params params) {
  using T = device::Storage<C.element>;
  constexpr Layout shared = layout(C);
  constexpr int tile_elements = C.block_kv * head_stride(C);
  auto* s_row_factor = reinterpret_cast<float*>(device::shared_memory() + shared.s_row_factor);
  auto* s_q = reinterpret_cast<T*>(device::shared_memory() + shared.s_q);
  auto* s_k = reinterpret_cast<T*>(device::shared_memory() + shared.s_k);
  auto* s_v = reinterpret_cast<T*>(device::shared_memory() + shared.s_v);
  auto* s_scores = reinterpret_cast<float*>(device::shared_memory() + shared.s_scores);
  auto* s_probs = reinterpret_cast<T*>(device::shared_memory() + shared.s_probs);
  auto* s_out = reinterpret_cast<float*>(device::shared_memory() + shared.s_out);

  const auto block = device::row_block<T>(params, device::block_index(), C.block_q);
  const int row = device::thread_index() / row_lanes(C);  // of the softmax; may be past block_q
  const int row_lane = device::thread_index() % row_lanes(C);
  const bool has_row = row < C.block_q;  // a warp's lanes agree: block_q is a multiple of 16
  const auto row_keys = device::keys_of_row(params, block, row);

  Carrier<C, T, C.block_kv> r_next_k, r_next_v;
  const auto fetch = [&](long long tile) {
    r_next_k.load(block.g_k, params.k_strides.seq, tile, params.seq_kv, params.head_dim);
    r_next_v.load(block.g_v, params.v_strides.seq, tile, params.seq_kv, params.head_dim);
  };
  const auto keep = [&](int stage) {
    r_next_k.store(s_k + stage * tile_elements);
    r_next_v.store(s_v + stage * tile_elements);
  };

  Carrier<C, T, C.block_q> r_q;
  r_q.load(block.g_q, params.q_strides.seq, 0, block.rows, params.head_dim);
  r_q.store(s_q);
#pragma unroll
  for (int stage = 0; stage < prefetch_distance(C); ++stage) {
    fetch(block.keys.begin + stage * C.block_kv);
    keep(stage);
  }
  device::block_barrier();  // Q and the first tiles are complete

  device::OnlineSoftmax softmax;
  typename OutputOf<C, T>::Type output;
  output.clear();
  device::Ring<C.stages> ring;
#pragma unroll 1
  for (long long tile = block.keys.begin; tile < block.keys.end; tile += C.block_kv) {
    fetch(tile + prefetch_distance(C) * C.block_kv);
    if constexpr (C.stages == 1) {
      keep(0);
      device::block_barrier();  // the tile is complete
    }
    compute_scores<C>(s_q, s_k + ring.stage * tile_elements, s_scores);
    device::block_barrier();  // the scores are complete; nobody reads the tile before this one

    if (has_row) {
      const float factor = row_softmax<C>(
          s_scores + row * key_stride(C), s_probs + row * key_stride(C), row_lane,
          device::keys_in_tile(row_keys, tile, C.block_kv), params.scale_log2e, softmax);
      if (row_lane == 0) s_row_factor[row] = factor;
    }
    // The stage of the tile before this one is free: its last readers passed the barrier above.
    if constexpr (C.stages > 1) keep((ring.stage + prefetch_distance(C)) % C.stages);
    device::block_barrier();  // probabilities, factors and the next tile are complete

    output.accumulate(s_row_factor, s_probs, s_v + ring.stage * tile_elements);
    if constexpr (C.stages == 1) device::block_barrier();  // the only tile may be overwritten
    ring.advance();
  }

#pragma unroll
  for (int distance = 1; distance < row_lanes(C); distance *= 2)
    softmax.row_sum += device::shuffle_xor(softmax.row_sum, distance);
  device::block_barrier();  // nobody reads factors and tiles any more: s_out takes their place
  output.store(s_out);
  if (has_row && row_lane == 0) {
    s_row_factor[row] = row_keys.empty() ? 0.0F : 1.0F / softmax.row_sum;
    if (block.g_lse != nullptr && row < block.rows)
      block.g_lse[row * params.lse_strides.seq] =
          row_keys.empty() ? -device::infinity : softmax.log_sum_exp();
  }
  device::block_barrier();  // the output and the rows' sums are complete
  device::write_rows<C.head_dim, 1>(params, block, C.block_q, s_out, head_stride(C), s_row_factor,
                                    C.warps);
}

}  // namespace flashcore::forward_wmma
