// A tensor as files hold it: a dtype, a shape, and elements in C order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "core/host_tensor.h"

namespace flashcore::io {

using Shape = std::vector<std::int64_t>;

struct Array {
  Shape shape;
  core::HostTensor tensor;
};

/// Elements that someone else owns, to be written.
struct ArrayView {
  core::Dtype dtype = core::Dtype::float32;
  Shape shape;
  const std::byte* data = nullptr;
};

ArrayView view(const Array& array);

/// "[1, 8, 512, 64]"
std::string to_string(std::span<const std::int64_t> shape);

/// The bytes of a shape. Throws invalid_argument, its message starting with `where`, for a negative
/// dimension, and when the product of the dimensions other than 0 overflows: so strides computed
/// from an accepted shape do not overflow either.
std::int64_t checked_bytes(std::string_view where, std::span<const std::int64_t> shape,
                           std::size_t element_bytes);

}  // namespace flashcore::io
