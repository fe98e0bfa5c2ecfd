// Attention with asynchronous copies, and warps that hardly ever wait for each other.
//
// A block owns block_q query rows of one head. A consumer warp owns 16 of them and, of each tile of
// block_kv keys, the keys of its group: it keeps a softmax and an output of its own for the keys it
// has seen, and the groups are merged once, at the end. Between tiles it waits for nothing but the
// tile itself. Dataflow, per consumer warp:
//   global -> (cp.async, stages ahead) s_k, s_v -> Q.K fragments -> s_scores
//     -> softmax, two lanes per row -> probabilities in their place -> P.V fragments in registers.
// The copies are made by producer warps that do nothing else (phase_2d), or by all warps between
// two tiles (producer_warps = 0, phase_2c).
//
// Rows past the end of a tensor are copies of its last row; their keys are masked like any other.
// Masked keys have probability 0 and still enter the product with V; write_rows mends the rows that
// this brings a NaN or an infinity to.
#pragma once

#include "device/attention/online_softmax.h"
#include "device/attention/row_block.h"
#include "device/attention/write_rows.h"
#include "device/ptx/element.h"
#include "device/ptx/math.h"
#include "device/ptx/mbarrier.h"
#include "device/ptx/pipeline.h"
#include "device/ptx/shuffle.h"
#include "device/ptx/thread.h"
#include "device/ptx/vector.h"
#include "device/ptx/vote.h"
#include "device/ptx/wmma.h"
#include "device/tile/ring.h"
#include "forward_cp_async/config.h"
#include "forward_cp_async/layout.h"
#include "forward_cp_async/params.h"

namespace flashcore::forward_cp_async {

/// The block's shared memory, as layout.h maps it.
template <Config C, typename T>
struct Shared {
  static constexpr Layout map = layout(C);
  static constexpr int tile_elements = C.block_kv * head_stride(C);

  template <typename Element>
  static Element* at(int offset) {
    return reinterpret_cast<Element*>(device::shared_memory() + offset);
  }
  static device::Mbarrier& k_full(int stage) { return at<device::Mbarrier>(map.k_full)[stage]; }
  static device::Mbarrier& v_full(int stage) { return at<device::Mbarrier>(map.v_full)[stage]; }
  static device::Mbarrier& empty(int stage) { return at<device::Mbarrier>(map.empty)[stage]; }
  static T* q() { return at<T>(map.s_q); }
  static T* k(int stage) { return at<T>(map.s_k) + stage * tile_elements; }
  static T* v(int stage) { return at<T>(map.s_v) + stage * tile_elements; }
  static float* out() { return at<float>(map.s_out); }
  static float* inverse_sum() { return at<float>(map.s_inverse_sum); }
};

/// Starts copying Rows rows from first_row on, or copies of the last row past the end, with this
/// thread's share of the work. Columns past head_dim are left alone.
template <Config C, int Rows, typename T>
void copy_rows(const T* g_rows, long long stride, long long first_row, long long row_count,
               int head_dim, int loader, T* s_rows, device::CopyPipeline& copies) {
  constexpr int per_row = C.head_dim / vector;
  constexpr int rows_at_once = loading_threads(C) / per_row;
  const int column = loader % per_row * vector;
  if (loader >= rows_at_once * per_row || column >= head_dim) return;
  const long long left = row_count - first_row;
  const int rows = left < Rows ? static_cast<int>(left) : Rows;
  const T* g_last = g_rows + (row_count - 1) * stride + column;
  const T* g_row = g_rows + (first_row + loader / per_row) * stride + column;
#pragma unroll 4
  for (int row = loader / per_row; row < Rows; row += rows_at_once) {
    copies.copy(s_rows + row * head_stride(C) + column, row < rows ? g_row : g_last);
    g_row += rows_at_once * stride;
  }
}

/// Copies the tiles of a block from global to shared memory.
template <Config C, typename T>
struct Loader {
  using S = Shared<C, T>;

  const Params& params;
  const device::RowBlock<T>& block;
  int loader;  // among the loading threads
  device::CopyPipeline copies = {};

  void load_q() {
    copy_rows<C, C.block_q>(block.g_q, params.q_strides.seq, 0, block.rows, params.head_dim, loader,
                            S::q(), copies);
  }
  void load_k(long long tile, int stage) {
    copy_rows<C, C.block_kv>(block.g_k, params.k_strides.seq, tile, params.seq_kv, params.head_dim,
                             loader, S::k(stage), copies);
  }
  void load_v(long long tile, int stage) {
    copy_rows<C, C.block_kv>(block.g_v, params.v_strides.seq, tile, params.seq_kv, params.head_dim,
                             loader, S::v(stage), copies);
  }
};

/// Makes the columns from head_dim to the capacity 0, in Q and in every stage; copies never reach
/// them.
template <Config C, typename T>
void clear_spare_columns(int head_dim) {
  if (head_dim == C.head_dim) return;
  using S = Shared<C, T>;
  constexpr int tile_rows = C.stages * C.block_kv;
  const auto clear = [&](T* s_rows, int rows) {
    for (int row = device::thread_index(); row < rows; row += threads(C))
      for (int column = head_dim; column < C.head_dim; column += vector)
        device::store_vector(device::Vector<T, vector>{}, s_rows + row * head_stride(C) + column);
  };
  clear(S::q(), C.block_q);
  clear(S::k(0), tile_rows);
  clear(S::v(0), tile_rows);
}

/// What a consumer warp keeps: 16 rows' softmax over its group's keys, and their output.
template <Config C, typename T>
struct Consumer {
  using S = Shared<C, T>;

  int warp;  // among the consumers
  device::KeyRange row_keys;
  device::OnlineSoftmax softmax;  // of this lane's row; row_sum is the lane's part
  device::AccumulatorFragment r_out[C.head_dim / edge];

  Consumer(const Params& params, const device::RowBlock<T>& block)
      : warp(device::warp_index()), row_keys(device::keys_of_row(params, block, row())) {
#pragma unroll
    for (auto& r_fragment : r_out) device::clear(r_fragment);
  }

  static int row_in_tile() {
    return device::lane_index() / lanes_per_row;
  }
  static int row_lane() {
    return device::lane_index() % lanes_per_row;
  }
  [[nodiscard]] int first_row() const {
    return row_tile_of(C, warp) * edge;
  }
  [[nodiscard]] int row() const {
    return first_row() + row_in_tile();
  }
  [[nodiscard]] int first_key() const {
    return key_group_of(C, warp) * group_keys(C);
  }
  [[nodiscard]] float* s_scores() const {
    return S::template at<float>(S::map.s_scores) + warp * edge * group_stride(C);
  }
  /// In the place of the scores, once they are in registers.
  [[nodiscard]] T* s_probs() const {
    return reinterpret_cast<T*>(s_scores());
  }
  [[nodiscard]] float* s_row_factor() const {
    return S::template at<float>(S::map.s_row_factor) + warp * edge;
  }

  /// s_scores = Q.K, float [16][group_stride]
  void compute_scores(int stage) {
    device::AccumulatorFragment r_scores[group_keys(C) / edge];
#pragma unroll
    for (auto& r_fragment : r_scores) device::clear(r_fragment);
    const T* s_q = S::q() + first_row() * head_stride(C);
    const T* s_k = S::k(stage) + first_key() * head_stride(C);
#pragma unroll unrolled_columns(C)
    for (int column = 0; column < C.head_dim; column += edge) {
      device::LeftFragment<T> r_q;
      device::load_fragment(s_q + column, head_stride(C), r_q);
#pragma unroll
      for (int key = 0; key < group_keys(C); key += edge) {
        device::RightFragmentTransposed<T> r_k;
        device::load_fragment(s_k + key * head_stride(C) + column, head_stride(C), r_k);
        device::multiply_add(r_q, r_k, r_scores[key / edge]);
      }
    }
#pragma unroll
    for (int key = 0; key < group_keys(C); key += edge)
      device::store_fragment(r_scores[key / edge], s_scores() + key, group_stride(C));
    device::warp_barrier();  // the scores are complete
  }

  /// s_probs = the scores' weights, T [16][group_stride]; s_row_factor = what to multiply the
  /// output so far with.
  void compute_probs(device::TileKeys keys, float scale_log2e) {
    float r_scores[keys_per_lane(C)];
    float largest = -device::infinity;
#pragma unroll
    for (int place = 0; place < keys_per_lane(C); place += 4) {
      const int key = lane_key(row_lane(), place);
      const auto scores =
          device::load_vector<float, 4>(s_scores() + row_in_tile() * group_stride(C) + key);
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const bool visible = keys.contains(first_key() + key + e);
        r_scores[place + e] = visible ? scores.values[e] * scale_log2e : -device::infinity;
        largest = device::maximum(largest, r_scores[place + e]);
      }
    }
    largest = device::maximum(largest, device::shuffle_xor(largest, 1));
    device::warp_barrier();  // every lane has its scores: probabilities may take their place
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
      device::store_vector(
          probs, s_probs() + row_in_tile() * group_stride(C) + lane_key(row_lane(), place));
    }
    if (row_lane() == 0) s_row_factor()[row_in_tile()] = factor;
    device::warp_barrier();  // probabilities and factors are complete
  }

  void scale_output() {
    device::AccumulatorFragment r_factor;
    device::load_row_values(s_row_factor(), r_factor);
#pragma unroll
    for (auto& r_fragment : r_out) device::scale(r_fragment, r_factor);
  }

  /// r_out = r_out * s_row_factor + P.V
  void accumulate_values(int stage) {
    scale_output();
    const T* s_v = S::v(stage) + first_key() * head_stride(C);
#pragma unroll unrolled_keys(C)
    for (int key = 0; key < group_keys(C); key += edge) {
      device::LeftFragment<T> r_probs;
      device::load_fragment(s_probs() + key, group_stride(C), r_probs);
#pragma unroll
      for (int column = 0; column < C.head_dim; column += edge) {
        device::RightFragment<T> r_v;
        device::load_fragment(s_v + key * head_stride(C) + column, head_stride(C), r_v);
        device::multiply_add(r_probs, r_v, r_out[column / edge]);
      }
    }
    device::warp_barrier();  // nobody reads probabilities and tile any more
  }

  /// Where the group's maximum and sum for this lane's row are kept.
  static int group_row(int group, int block_row) {
    return group * C.block_q + block_row;
  }

  void publish_softmax() {
    softmax.row_sum += device::shuffle_xor(softmax.row_sum, 1);
    if (row_lane() != 0) return;
    const int place = group_row(key_group_of(C, warp), row());
    S::template at<float>(S::map.s_group_max)[place] = softmax.row_max;
    S::template at<float>(S::map.s_group_sum)[place] = softmax.row_sum;
  }

  /// Brings the group's output to the maximum of all groups, in s_out. The first group also writes
  /// the row's log-sum-exp and the reciprocal of its sum. Groups are added in order: the same bits
  /// every time.
  void merge(const Params& params, const device::RowBlock<T>& block) {
    const float* s_group_max = S::template at<float>(S::map.s_group_max);
    const float* s_group_sum = S::template at<float>(S::map.s_group_sum);
    device::OnlineSoftmax total;
#pragma unroll
    for (int group = 0; group < C.key_groups; ++group)
      total.advance(s_group_max[group_row(group, row())]);
#pragma unroll
    for (int group = 0; group < C.key_groups; ++group)
      total.row_sum +=
          s_group_sum[group_row(group, row())] * total.weight(s_group_max[group_row(group, row())]);

    if (row_lane() == 0) s_row_factor()[row_in_tile()] = total.weight(softmax.row_max);
    if (row_lane() == 0 && key_group_of(C, warp) == 0) {
      S::inverse_sum()[row()] = row_keys.empty() ? 0.0F : 1.0F / total.row_sum;
      if (block.g_lse != nullptr && row() < block.rows)
        block.g_lse[row() * params.lse_strides.seq] =
            row_keys.empty() ? -device::infinity : total.log_sum_exp();
    }
    device::warp_barrier();  // the factors are complete
    scale_output();
    float* s_out = S::out() + group_row(key_group_of(C, warp), first_row()) * head_stride(C);
#pragma unroll
    for (int column = 0; column < C.head_dim; column += edge)
      device::store_fragment(r_out[column / edge], s_out + column, head_stride(C));
  }
};

/// Producer: keeps the stages full.
template <Config C, typename T>
void produce(const Params& params, const device::RowBlock<T>& block) {
  using S = Shared<C, T>;
  Loader<C, T> loader{params, block, device::thread_index() - consumer_warps(C) * 32};
  if (!block.keys.empty()) loader.load_q();  // announced with the first tile of keys
  device::Ring<C.stages> ring;
#pragma unroll 1
  for (long long tile = block.keys.begin; tile < block.keys.end; tile += C.block_kv) {
    device::wait(S::empty(ring.stage), ring.parity ^ 1);
    loader.load_k(tile, ring.stage);
    device::arrive_after_copies(S::k_full(ring.stage));
    loader.load_v(tile, ring.stage);
    device::arrive_after_copies(S::v_full(ring.stage));
    ring.advance();
  }
}

/// Consumer beside producers: takes each tile as it comes.
template <Config C, typename T>
void consume(const Params& params, const device::RowBlock<T>& block, Consumer<C, T>& consumer) {
  using S = Shared<C, T>;
  device::Ring<C.stages> ring;
#pragma unroll 1
  for (long long tile = block.keys.begin; tile < block.keys.end; tile += C.block_kv) {
    device::wait(S::k_full(ring.stage), ring.parity);
    consumer.compute_scores(ring.stage);
    consumer.compute_probs(device::keys_in_tile(consumer.row_keys, tile, C.block_kv),
                           params.scale_log2e);
    device::wait(S::v_full(ring.stage), ring.parity);
    consumer.accumulate_values(ring.stage);
    device::arrive(S::empty(ring.stage));  // each lane for its own reads
    ring.advance();
  }
}

/// Everyone computes, and loads the tile that is stages - 1 ahead before each.
template <Config C, typename T>
void load_and_consume(const Params& params, const device::RowBlock<T>& block,
                      Consumer<C, T>& consumer) {
  constexpr int ahead = C.stages - 1;
  Loader<C, T> loader{params, block, device::thread_index()};
  const auto load = [&](long long tile, int stage) {
    if (tile < block.keys.end) {
      loader.load_k(tile, stage);
      loader.load_v(tile, stage);
    }
    loader.copies.commit();  // empty past the last tile, so that the count of batches stays right
  };
  if (!block.keys.empty()) loader.load_q();  // in the first tile's batch
#pragma unroll
  for (int stage = 0; stage < ahead; ++stage) load(block.keys.begin + stage * C.block_kv, stage);

  device::Ring<C.stages> ring;
#pragma unroll 1
  for (long long tile = block.keys.begin; tile < block.keys.end; tile += C.block_kv) {
    loader.copies.template wait<ahead - 1>();
    device::block_barrier();  // the tile is complete, and nobody reads the one before it
    load(tile + ahead * C.block_kv, ring.stage == 0 ? ahead : ring.stage - 1);
    consumer.compute_scores(ring.stage);
    consumer.compute_probs(device::keys_in_tile(consumer.row_keys, tile, C.block_kv),
                           params.scale_log2e);
    consumer.accumulate_values(ring.stage);
    ring.advance();
  }
}

template <Config C>
__global__ void __launch_bounds__(threads(C), 1) forward(const __grid_constant__ Params params) {
  using T = device::Storage<C.element>;
  using S = Shared<C, T>;
  const auto block = device::row_block<T>(params, device::block_index(), C.block_q);
  const Role role = device::warp_index() < consumer_warps(C) ? Role::consumer : Role::producer;

  if constexpr (specialised(C)) {
    if (device::thread_index() == 0)
      for (int stage = 0; stage < C.stages; ++stage) {
        device::init(S::k_full(stage), loading_threads(C));
        device::init(S::v_full(stage), loading_threads(C));
        device::init(S::empty(stage), consumer_warps(C) * 32);
      }
  }
  clear_spare_columns<C, T>(params.head_dim);
  device::block_barrier();  // the barriers are ready, the spare columns are 0

  Consumer<C, T> consumer(params, block);
  if (role == Role::producer) {
    produce<C, T>(params, block);
  } else {
    if constexpr (specialised(C))
      consume<C, T>(params, block, consumer);
    else
      load_and_consume<C, T>(params, block, consumer);
    consumer.publish_softmax();
  }
  device::block_barrier();  // the groups' sums are complete; s_out may take the tiles' place
  if (role == Role::consumer) consumer.merge(params, block);
  device::block_barrier();  // the output is complete
  device::write_rows<C.head_dim, C.key_groups>(params, block, C.block_q, S::out(), head_stride(C),
                                               S::inverse_sum(), warps(C));
}

}  // namespace flashcore::forward_cp_async
