#include "binding/array_library.h"

#include <algorithm>
#include <span>

namespace flashcore::python {

namespace nb = nanobind;

namespace {

std::vector<nb::object> items_of(nb::handle sequence) {
  std::vector<nb::object> items;
  for (const nb::handle item : sequence) items.push_back(nb::borrow(item));
  return items;
}

bool is_true(const nb::object& object) {
  const int answer = PyObject_IsTrue(object.ptr());
  if (answer < 0) throw nb::python_error();
  return answer != 0;
}

bool requires_grad(nb::handle array) {
  static PyObject* const name = PyUnicode_InternFromString("requires_grad");
  const nb::object answer = nb::getattr(array, nb::handle(name), nb::none());
  return is_true(answer);
}

nb::object tuple_of(std::span<const std::int64_t> numbers) {
  nb::object tuple = nb::steal(PyTuple_New(std::ssize(numbers)));
  if (!tuple.is_valid()) throw nb::python_error();
  Py_ssize_t next = 0;
  for (const std::int64_t value : numbers) {
    PyObject* number = PyLong_FromLongLong(value);
    if (number == nullptr) throw nb::python_error();
    PyTuple_SetItem(tuple.ptr(), next++, number);
  }
  return tuple;
}

}  // namespace

const nb::object& KeptTuple::of(std::span<const std::int64_t> numbers) {
  if (!tuple_.is_valid() || !std::ranges::equal(numbers, numbers_)) {
    tuple_ = tuple_of(numbers);
    numbers_.assign(numbers.begin(), numbers.end());
  }
  return tuple_;
}

ArrayLibrary::ArrayLibrary(nb::handle kind)
    : waits_(is_true(kind.attr("waits"))),
      current_stream_(kind.attr("current_stream")),
      empty_like_(kind.attr("empty_like")),
      lse_(kind.attr("lse")),
      workspace_(kind.attr("workspace")),
      grad_enabled_(kind.attr("grad_enabled")),
      byte_(kind.attr("byte")),
      empty_strided_cpu_(kind.attr("empty_strided_cpu")),
      empty_strided_cuda_(kind.attr("empty_strided_cuda")),
      current_device_(kind.attr("current_device")),
      watchers_(items_of(kind.attr("watchers"))),
      plain_types_(items_of(kind.attr("plain_types"))),
      dtypes_(items_of(kind.attr("dtypes"))) {}

bool ArrayLibrary::plain(nb::handle array) const {
  return std::any_of(plain_types_.begin(), plain_types_.end(),
                     [&](const nb::object& type) { return type.is(array.type()); });
}

bool ArrayLibrary::watched(nb::handle q, nb::handle k, nb::handle v) const {
  if (!plain(q) || !plain(k) || !plain(v)) return true;
  return std::any_of(watchers_.begin(), watchers_.end(),
                     [](const nb::object& watcher) { return is_true(watcher()); });
}

bool ArrayLibrary::wants_grad(nb::handle q, nb::handle k, nb::handle v) const {
  return !grad_enabled_.is_none() && is_true(grad_enabled_()) &&
         (requires_grad(q) || requires_grad(k) || requires_grad(v));
}

std::optional<StreamAddress> ArrayLibrary::current_stream(nb::handle q) const {
  if (current_stream_.is_none()) return std::nullopt;
  const nb::object stream = current_stream_(q);
  if (stream.is_none()) return std::nullopt;
  return nb::cast<StreamAddress>(stream);
}

nb::object ArrayLibrary::empty_like(nb::handle q) const {
  return empty_like_(q);
}

nb::handle ArrayLibrary::empty_strided(const ImportedArray& q_array) const {
  if (!q_array.on_cuda()) return empty_strided_cpu_;
  if (empty_strided_cuda_.is_none()) return empty_strided_cuda_;
  // It knows the current GPU alone, and to allocate there for a query elsewhere would start a
  // context.
  if (nb::cast<int>(current_device_()) == q_array.device_index()) return empty_strided_cuda_;
  return Py_None;
}

nb::object ArrayLibrary::quick_like(nb::handle q, const ImportedArray& q_array,
                                    flashcore_dtype dtype) const {
  if (!plain(q) || !q_array.dense()) return {};
  const nb::handle make = empty_strided(q_array);
  if (make.is_none()) return {};
  return make(sizes_.of(q_array.shape()), strides_.of(q_array.strides()),
              dtypes_.at(static_cast<std::size_t>(dtype)));
}

nb::object ArrayLibrary::quick_workspace(const ImportedArray& q_array, std::size_t bytes) const {
  const nb::handle make = empty_strided(q_array);
  if (make.is_none()) return {};
  return make(nb::make_tuple(bytes), nb::make_tuple(1), byte_);
}

nb::object ArrayLibrary::lse(nb::handle q, const std::array<std::int64_t, 3>& shape) const {
  return lse_(q, nb::make_tuple(shape[0], shape[1], shape[2]));
}

nb::object ArrayLibrary::workspace(nb::handle q, std::size_t bytes) const {
  return workspace_(q, bytes);
}

}  // namespace flashcore::python
