// The merge of what the blocks of a cluster have summed over their shares of the keys: through
// distributed shared memory, a block's own first and then those of the blocks after it, so that the
// bits are the same every time.
//
// A warp's 16 rows are two parts of 8, one for each half of its lanes' rows. Of a consumer's eight
// parts every block finishes 8 / kv_splits, in the warp that holds its own sums of them; the other
// blocks' warps of the same number send it theirs. Lanes keep their places: what a lane sends, the
// lane of the same number reads.
#pragma once

#include "device/ptx/cluster.h"
#include "device/ptx/vector.h"
#include "forward_tma_wgmma/shared.cuh"
#include "forward_tma_wgmma/softmax.cuh"

namespace flashcore::forward_tma_wgmma {

template <Config C>
class Merge {
 public:
  static constexpr int parts = 8;
  static constexpr int own_parts = parts / C.kv_splits;
  static constexpr int vectors = C.head_dim / 16;  // of 4 floats, of a lane's part
  static constexpr int sums_bytes = vectors * 32 * 16;
  static constexpr int row_bytes = 8;  // a reference and a sum
  static constexpr int part_bytes = sums_bytes + 8 * row_bytes;

  /// By warp `warp` of consumer `consumer`.
  Merge(int consumer, int warp, int lane)
      : consumer_(consumer), warp_(warp), lane_(lane), rank_(device::cluster_rank()) {}

  /// Of part `half` of the warp.
  int owner(int half) const { return owner_of(warp_ * 2 + half); }
  bool owns(int half) const { return owner(half) == rank_; }

  /// Prepares the barrier of a warp for what others will send of its rows.
  static void init_barrier(device::Mbarrier& barrier, int warp) {
    int count = 0;
    for (int half = 0; half < 2; ++half)
      if (owner_of(warp * 2 + half) == device::cluster_rank()) ++count;
    device::init(barrier, 1);
    device::arrive_and_expect(barrier, count * (C.kv_splits - 1) * part_bytes);
  }

  /// Sends the parts that others finish. The cluster's blocks are known to have started.
  void send(const Output<C>& r_out, const device::LazySoftmax (&rows)[2]) const {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      if (owns(half)) continue;
      const auto barrier = device::peer_address(
          device::shared_address(&Shared<C>::barriers().parts[consumer_][warp_]), owner(half));
      const auto part = device::peer_address(
          device::shared_address(Shared<C>::parts(consumer_) + offset(rank_, half)), owner(half));
#pragma unroll
      for (int v = 0; v < vectors; ++v)
        device::store_peer_counted(part.at((v * 32 + lane_) * 16), own_sums(v, half, r_out),
                                   barrier);
      if (lane_ % 4 == 0)
        device::store_peer_counted(
            part.at(sums_bytes + lane_ / 4 * row_bytes),
            device::Vector<float, 2>{{rows[half].reference_max, rows[half].row_sum}}, barrier);
    }
  }

  /// Waits for the parts that this warp finishes.
  void wait() const {
    if (owns(0) || owns(1)) device::wait_cluster(Shared<C>::barriers().parts[consumer_][warp_], 0);
  }

  /// Leaves the whole cluster's output and row in place of this block's own.
  void finish(int half, Output<C>& r_out, device::LazySoftmax& row) const {
    device::LazySoftmax whole = row;
#pragma unroll
    for (int i = 1; i < C.kv_splits; ++i)
      whole.reference_max =
          device::maximum(whole.reference_max, sent_row(sender(i), half).reference_max);
    const float own_factor = device::exp2_approx(row.reference_max - whole.offset());
    whole.row_sum *= own_factor;
#pragma unroll
    for (int v = 0; v < vectors; ++v)
#pragma unroll
      for (int i = 0; i < 4; ++i) r_out[element(v, half, i)] *= own_factor;
#pragma unroll(C.kv_splits == 2 ? 2 : 1)
    for (int i = 1; i < C.kv_splits; ++i) {
      const device::LazySoftmax part = sent_row(sender(i), half);
      const float factor = device::exp2_approx(part.reference_max - whole.offset());
      whole.row_sum += part.row_sum * factor;
#pragma unroll
      for (int v = 0; v < vectors; ++v) {
        const auto part_sums = sent_sums(sender(i), v, half);
#pragma unroll
        for (int e = 0; e < 4; ++e) r_out[element(v, half, e)] += part_sums.values[e] * factor;
      }
    }
    row = whole;
  }

 private:
  /// Parts are dealt one by one, so that all warps finish as many.
  static constexpr int owner_of(int part) {
    return part % C.kv_splits;
  }
  /// The i-th block after this one.
  int sender(int i) const {
    return (rank_ + i) % C.kv_splits;
  }

  /// Of the lane's sums of a row: four in each vector.
  static constexpr int element(int vector, int half, int i) {
    return (vector * 2 + i / 2) * 4 + half * 2 + i % 2;
  }
  static device::Vector<float, 4> own_sums(int vector, int half, const Output<C>& r_out) {
    return {{r_out[element(vector, half, 0)], r_out[element(vector, half, 1)],
             r_out[element(vector, half, 2)], r_out[element(vector, half, 3)]}};
  }
  device::Vector<float, 4> sent_sums(int sender, int vector, int half) const {
    return device::load_vector<float, 4>(reinterpret_cast<const float*>(
        Shared<C>::parts(consumer_) + offset(sender, half) + (vector * 32 + lane_) * 16));
  }
  /// Of a sender's part among those that the owner gets.
  int offset(int sender, int half) const {
    return (sender * own_parts + (warp_ * 2 + half) / C.kv_splits) * part_bytes;
  }
  device::LazySoftmax sent_row(int sender, int half) const {
    const auto sent = device::load_vector<float, 2>(reinterpret_cast<const float*>(
        Shared<C>::parts(consumer_) + offset(sender, half) + sums_bytes + lane_ / 4 * row_bytes));
    device::LazySoftmax row;
    row.reference_max = sent.values[0];
    row.row_sum = sent.values[1];
    return row;
  }

  int consumer_, warp_, lane_, rank_;
};

}  // namespace flashcore::forward_tma_wgmma
