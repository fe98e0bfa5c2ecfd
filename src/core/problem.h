// What was asked: everything about a call that can change which kernel serves it and how it is
// launched, and nothing that differs from call to call (pointers, scale).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/dtype.h"
#include "core/mask.h"

namespace flashcore::core {

/// In elements. The last dimension is contiguous.
struct Strides {
  std::int64_t batch = 0;
  std::int64_t head = 0;
  std::int64_t seq = 0;

  [[nodiscard]] std::int64_t offset(std::int64_t b, std::int64_t h, std::int64_t row) const {
    return b * batch + h * head + row * seq;
  }
  bool operator==(const Strides&) const = default;
};

/// Strides of a contiguous [batch, heads, seq, head_dim] tensor.
constexpr Strides bhsd_strides(std::int64_t heads, std::int64_t seq, std::int64_t head_dim) {
  return {heads * seq * head_dim, seq * head_dim, head_dim};
}

/// Strides of a contiguous [batch, seq, heads, head_dim] tensor.
constexpr Strides bshd_strides(std::int64_t heads, std::int64_t seq, std::int64_t head_dim) {
  return {seq * heads * head_dim, head_dim, heads * head_dim};
}

struct Problem {
  Dtype dtype = Dtype::float16;
  std::int64_t batch = 1;
  std::int64_t heads_q = 1;
  std::int64_t heads_kv = 1;
  std::int64_t seq_q = 1;
  std::int64_t seq_kv = 1;
  std::int64_t head_dim = 64;
  Mask mask = {};
  Strides q_strides = {}, k_strides = {}, v_strides = {}, o_strides = {};
  Strides lse_strides = {};  // of [batch, heads_q, seq_q], its `seq` the distance between queries
  /// The largest power of two, at most 16, that divides every row's address in bytes.
  int alignment = 16;

  bool operator==(const Problem&) const = default;

  [[nodiscard]] std::int64_t group_size() const { return heads_q / heads_kv; }
  [[nodiscard]] device::Band band() const { return core::band(mask, seq_q, seq_kv); }
  /// Floating-point operations of the two products, counting only the pairs the mask lets through.
  [[nodiscard]] double flops() const;
  /// Bytes that must move if every input is read once and every output written once.
  [[nodiscard]] double bytes() const;
  /// "fp16 b=1 h=8 s=512 d=64", with hkv, skv and the mask where they are not the default.
  [[nodiscard]] std::string to_string() const;
};

std::size_t hash(const Problem& problem);

/// The pointers and numbers of one call. Tensors are laid out as the Problem's strides say.
struct Arguments {
  const void* q = nullptr;
  const void* k = nullptr;
  const void* v = nullptr;
  void* o = nullptr;
  float* lse = nullptr;  // null: not wanted
  float scale = 0.0F;
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;
  /// Kernels that can may begin before the work ahead of them in the stream has ended; they wait
  /// for its end before they read or write.
  bool overlap = false;
};

/// 1 / sqrt(head_dim)
float default_scale(std::int64_t head_dim);

/// A Problem over contiguous tensors, BHSD unless `bshd`. `heads_kv` and `seq_kv` negative: as
/// for q.
Problem contiguous_problem(Dtype dtype, std::int64_t batch, std::int64_t heads_q,
                           std::int64_t heads_kv, std::int64_t seq_q, std::int64_t seq_kv,
                           std::int64_t head_dim, Mask mask = {}, bool bshd = false);

}  // namespace flashcore::core
