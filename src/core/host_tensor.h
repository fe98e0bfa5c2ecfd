// A tensor in host memory: what files, tests and the benchmark hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/dtype.h"
#include "core/problem.h"

namespace flashcore::core {

/// Elements of a dtype, in memory order, aligned to 64 bytes by its allocator.
class HostTensor {
 public:
  HostTensor() = default;
  HostTensor(Dtype dtype, std::int64_t elements);

  [[nodiscard]] Dtype dtype() const { return dtype_; }
  [[nodiscard]] std::int64_t elements() const { return elements_; }
  [[nodiscard]] std::size_t bytes() const {
    return static_cast<std::size_t>(elements_) * size_of(dtype_);
  }
  [[nodiscard]] std::byte* data();
  [[nodiscard]] const std::byte* data() const;

  /// One element, widened.
  [[nodiscard]] float at(std::int64_t index) const;
  /// One element, rounded to the dtype.
  void set(std::int64_t index, float value);
  /// Every byte set to the same value.
  void fill_bytes(std::uint8_t value);

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> storage_;
  Dtype dtype_ = Dtype::float32;
  std::int64_t elements_ = 0;
};

/// The elements a tensor of these strides spans, from its first to one past its last.
std::int64_t span_elements(const Strides& strides, std::int64_t batch, std::int64_t heads,
                           std::int64_t seq, std::int64_t head_dim);

/// All of one call's tensors in host memory, laid out as the Problem's strides say.
struct HostCall {
  Problem problem = {};
  float scale = 0.0F;
  HostTensor q = {}, k = {}, v = {}, o = {};
  std::vector<float> lse = {};

  /// Q, K and V drawn from N(0,1) by the seed; O and LSE poisoned with NaN.
  static HostCall random(const Problem& problem, std::uint64_t seed);
  /// Sets O and LSE to NaN, so that an element that nobody writes is seen.
  void poison_outputs();
  [[nodiscard]] Arguments arguments();
};

/// Fills with N(0,1), rounded to the dtype. The same seed gives the same bits everywhere.
void fill_normal(HostTensor& tensor, std::uint64_t seed);

}  // namespace flashcore::core
