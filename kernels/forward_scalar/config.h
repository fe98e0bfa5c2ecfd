// forward_scalar's Config: what the tuner may choose, and what follows from it.
#pragma once

#include "device/element.h"

namespace flashcore::forward_scalar {

using device::Element;

struct Config {
  Element element = Element::float16;
  int head_dim = 64;        // capacity: a Problem's head_dim is at most this
  int block_q = 16;         // query rows of a block
  int threads_per_row = 8;  // lanes that share one query row, each with a slice of head_dim
  int block_kv = 32;        // keys in shared memory at a time
  int keys_per_step = 8;    // keys whose scores a thread holds at a time
};

template <typename C, typename Visit>
constexpr void for_each_field(C& config, Visit&& visit) {
  visit("element", config.element);
  visit("head_dim", config.head_dim);
  visit("block_q", config.block_q);
  visit("threads_per_row", config.threads_per_row);
  visit("block_kv", config.block_kv);
  visit("keys_per_step", config.keys_per_step);
}

/// A thread reads its slice in vectors of this many floats: slice element e of lane t of a row is
/// element (e / vector * threads_per_row + t) * vector + e % vector of head_dim.
inline constexpr int vector = 4;

constexpr int threads(const Config& config) {
  return config.block_q * config.threads_per_row;
}
constexpr int slice(const Config& config) {
  return config.head_dim / config.threads_per_row;
}

/// The element of head_dim that a lane of a row holds at a place of its slice.
constexpr int slice_element(const Config& config, int row_lane, int element) {
  return (element / vector * config.threads_per_row + row_lane) * vector + element % vector;
}

}  // namespace flashcore::forward_scalar
