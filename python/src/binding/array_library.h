// The library that a call's arrays come from.
#pragma once

#include <nanobind/nanobind.h>

#include <flashcore/flashcore.h>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "binding/imported_array.h"

namespace flashcore::python {

inline constexpr const char* no_backward =
    "an input requires grad, and FlashCore has no backward yet: call under torch.no_grad(), or "
    "with detached tensors";

/// A tuple of numbers, kept because most calls ask for the last one's again. Guarded by the GIL.
class KeptTuple {
 public:
  const nanobind::object& of(std::span<const std::int64_t> numbers);

 private:
  std::vector<std::int64_t> numbers_;
  nanobind::object tuple_;
};

/// What flashcore._kinds.Kind says of a library, looked up once: its functions are called from
/// here.
class ArrayLibrary {
 public:
  /// Reads the attributes of a Kind, which documents them.
  explicit ArrayLibrary(nanobind::handle kind);

  /// Whether the library would differentiate this call.
  [[nodiscard]] bool wants_grad(nanobind::handle q, nanobind::handle k, nanobind::handle v) const;

  /// Whether Kind.watchers names somebody who may have to see a call happen.
  [[nodiscard]] bool has_watchers() const { return !watchers_.empty(); }

  /// Whether one of them has to see this call, or an array is more than memory.
  [[nodiscard]] bool watched(nanobind::handle q, nanobind::handle k, nanobind::handle v) const;

  /// None where DLPack's exchange table tells it, or there is none.
  [[nodiscard]] std::optional<StreamAddress> current_stream(nanobind::handle q) const;

  /// An array like q, in q's order of memory, not initialised.
  [[nodiscard]] nanobind::object empty_like(nanobind::handle q) const;

  /// The same, by a shorter way where there is one. A null object where there is none.
  [[nodiscard]] nanobind::object quick_like(nanobind::handle q, const ImportedArray& q_array,
                                            flashcore_dtype dtype) const;
  [[nodiscard]] nanobind::object quick_workspace(const ImportedArray& q_array,
                                                 std::size_t bytes) const;

  /// float32, on q's device, not initialised.
  [[nodiscard]] nanobind::object lse(nanobind::handle q,
                                     const std::array<std::int64_t, 3>& shape) const;

  /// `bytes` on q's device, not initialised.
  [[nodiscard]] nanobind::object workspace(nanobind::handle q, std::size_t bytes) const;

  /// Whether a call waits for its result.
  [[nodiscard]] bool waits() const { return waits_; }

 private:
  [[nodiscard]] bool plain(nanobind::handle array) const;
  /// What makes arrays on q's device the short way; Python's None where nothing does.
  [[nodiscard]] nanobind::handle empty_strided(const ImportedArray& q_array) const;

  bool waits_;
  nanobind::object current_stream_, empty_like_, lse_, workspace_, grad_enabled_, byte_;
  nanobind::object empty_strided_cpu_, empty_strided_cuda_, current_device_;
  std::vector<nanobind::object> watchers_, plain_types_, dtypes_;
  mutable KeptTuple sizes_, strides_;  // of the last quick_like()
};

}  // namespace flashcore::python
