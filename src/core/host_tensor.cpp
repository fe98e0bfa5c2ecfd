#include "core/host_tensor.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/half.h"
#include "core/normal.h"
#include "core/parallel.h"

namespace flashcore::core {

namespace {

/// SplitMix64 (Steele, Lea, Flood 2014): a counter-based generator, so that the value at an index
/// depends on the seed and the index alone.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

}  // namespace

HostTensor::HostTensor(Dtype dtype, std::int64_t elements)
    : storage_((static_cast<std::size_t>(elements) * size_of(dtype) + sizeof(Line) - 1) /
               sizeof(Line)),
      dtype_(dtype),
      elements_(elements) {}

std::byte* HostTensor::data() {
  return reinterpret_cast<std::byte*>(storage_.data());
}
const std::byte* HostTensor::data() const {
  return reinterpret_cast<const std::byte*>(storage_.data());
}

float HostTensor::at(std::int64_t index) const {
  return visit_storage(dtype_, [&]<typename T>(T value) {
    std::memcpy(&value, data() + static_cast<std::size_t>(index) * sizeof(T), sizeof(T));
    return to_float(value);
  });
}

void HostTensor::set(std::int64_t index, float value) {
  visit_storage(dtype_, [&]<typename T>(T narrowed) {
    narrowed = from_float<T>(value);
    std::memcpy(data() + static_cast<std::size_t>(index) * sizeof(T), &narrowed, sizeof(T));
  });
}

void HostTensor::fill_bytes(std::uint8_t value) {
  if (!storage_.empty()) std::memset(data(), value, storage_.size() * sizeof(Line));
}

std::int64_t span_elements(const Strides& strides, std::int64_t batch, std::int64_t heads,
                           std::int64_t seq, std::int64_t head_dim) {
  if (batch == 0 || heads == 0 || seq == 0) return 0;
  return (batch - 1) * strides.batch + (heads - 1) * strides.head + (seq - 1) * strides.seq +
         head_dim;
}

namespace {

/// Elements [first, last) of a tensor; `first` is even. A pair has the halves of 64 bits.
void fill_normal_part(HostTensor& tensor, std::uint64_t key, std::int64_t first,
                      std::int64_t last) {
  const NormalTable& normal = NormalTable::shared();
  visit_storage(tensor.dtype(), [&]<typename T>(T /*type*/) {
    auto* values = reinterpret_cast<T*>(tensor.data());
    for (std::int64_t i = first; i < last; i += 2) {
      const std::uint64_t bits = mix(key ^ static_cast<std::uint64_t>(i));
      values[i] = from_float<T>(normal.at(static_cast<std::uint32_t>(bits >> 32)));
      if (i + 1 < last) values[i + 1] = from_float<T>(normal.at(static_cast<std::uint32_t>(bits)));
    }
  });
}

}  // namespace

void fill_normal(HostTensor& tensor, std::uint64_t seed) {
  constexpr std::int64_t part = std::int64_t{1} << 20;  // what is worth a thread: some 3 ms
  const std::uint64_t key = mix(seed);
  parallel_for(static_cast<std::size_t>((tensor.elements() + part - 1) / part), [&](std::size_t i) {
    const std::int64_t first = static_cast<std::int64_t>(i) * part;
    fill_normal_part(tensor, key, first, std::min(first + part, tensor.elements()));
  });
}

HostCall HostCall::random(const Problem& p, std::uint64_t seed) {
  const auto make = [&](const Strides& strides, std::int64_t heads, std::int64_t seq) {
    return HostTensor(p.dtype, span_elements(strides, p.batch, heads, seq, p.head_dim));
  };
  HostCall call{.problem = p,
                .scale = default_scale(p.head_dim),
                .q = make(p.q_strides, p.heads_q, p.seq_q),
                .k = make(p.k_strides, p.heads_kv, p.seq_kv),
                .v = make(p.v_strides, p.heads_kv, p.seq_kv),
                .o = make(p.o_strides, p.heads_q, p.seq_q),
                .lse = std::vector<float>(static_cast<std::size_t>(
                    span_elements(p.lse_strides, p.batch, p.heads_q, p.seq_q, 1)))};
  fill_normal(call.q, mix(seed * 3 + 0));
  fill_normal(call.k, mix(seed * 3 + 1));
  fill_normal(call.v, mix(seed * 3 + 2));
  call.poison_outputs();
  return call;
}

void HostCall::poison_outputs() {
  o.fill_bytes(0xFF);  // NaN in every dtype
  std::fill(lse.begin(), lse.end(), std::numeric_limits<float>::quiet_NaN());
}

Arguments HostCall::arguments() {
  return {.q = q.data(),
          .k = k.data(),
          .v = v.data(),
          .o = o.data(),
          .lse = lse.data(),
          .scale = scale};
}

}  // namespace flashcore::core
