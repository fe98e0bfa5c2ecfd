#include "io/array.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace flashcore::io {

ArrayView view(const Array& array) {
  return {array.tensor.dtype(), array.shape, array.tensor.data()};
}

std::string to_string(std::span<const std::int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::int64_t checked_bytes(std::string_view where, std::span<const std::int64_t> shape,
                           std::size_t element_bytes) {
  auto product = static_cast<std::int64_t>(element_bytes);
  bool empty = false;
  for (const std::int64_t dimension : shape) {
    if (dimension < 0)
      core::fail(core::Status::invalid_argument, "{}: shape {} has the negative dimension {}",
                 where, to_string(shape), dimension);
    if (dimension == 0)
      empty = true;
    else if (__builtin_mul_overflow(product, dimension, &product))
      core::fail(core::Status::invalid_argument, "{}: shape {} needs more than 2^63 bytes", where,
                 to_string(shape));
  }
  return empty ? 0 : product;
}

}  // namespace flashcore::io
