// A caller's array as DLPack shows it: no copy, and the array stays the caller's.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <optional>
#include <span>

#include "binding/dlpack.h"

namespace flashcore::python {

/// A CUDA stream, as DLPack and the driver count: 0 is the legacy default stream.
using StreamAddress = std::uintptr_t;

/// The exchange table of an array's library; null where it has none. Asked once for each type.
const dlpack::ExchangeApi* exchange_api(nanobind::handle array);

/// Valid while the caller's array is alive, as the arguments of a call are.
class ImportedArray {
 public:
  /// `name` is what messages call it. `stream` is where it will be used: a library without an
  /// exchange table orders its own work before that. Throws TypeError where it is no array.
  ImportedArray(const char* name, nanobind::handle array, std::optional<StreamAddress> stream);

  [[nodiscard]] const char* name() const { return name_; }
  [[nodiscard]] bool read_only() const { return read_only_; }
  [[nodiscard]] bool on_cuda() const;
  [[nodiscard]] int device_index() const { return on_cuda() ? tensor_.device.index : 0; }
  [[nodiscard]] int ndim() const { return tensor_.ndim; }
  [[nodiscard]] dlpack::DataType dtype() const { return tensor_.dtype; }
  [[nodiscard]] std::int64_t size(int dimension) const { return tensor_.shape[dimension]; }
  /// In elements. Of a dimension of one element or an array of none, whose stride nobody follows,
  /// the contiguous one.
  [[nodiscard]] std::int64_t stride(int dimension) const;
  /// As the library describes them: strides are empty where it leaves them out, being contiguous.
  [[nodiscard]] std::span<const std::int64_t> shape() const;
  [[nodiscard]] std::span<const std::int64_t> strides() const;
  /// Whether it has described strides, and fills its memory without gaps or overlaps.
  [[nodiscard]] bool dense() const;
  [[nodiscard]] void* data() const {
    return static_cast<char*>(tensor_.data) + tensor_.byte_offset;
  }

 private:
  [[nodiscard]] bool empty() const;
  void import_by_capsule(nanobind::handle array, std::optional<StreamAddress> stream);

  const char* name_;
  dlpack::Tensor tensor_{};
  bool read_only_ = false;
  nanobind::object capsule_;  // owns tensor_'s shape, where it did not come by an exchange table
};

}  // namespace flashcore::python
