#include "binding/imported_array.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <unordered_map>

#include "binding/errors.h"

namespace flashcore::python {

namespace nb = nanobind;

namespace {

constexpr std::uint32_t served_major = 1;

/// The table of the major version that is served, in a chain of them.
const dlpack::ExchangeApi* served_version(const dlpack::ExchangeApi* api) {
  while (api != nullptr && api->version.major != served_major) api = api->previous;
  return api;
}

const dlpack::ExchangeApi* find_exchange_api(nb::handle type) {
  const nb::object capsule = nb::getattr(type, "__dlpack_c_exchange_api__", nb::none());
  if (PyCapsule_IsValid(capsule.ptr(), dlpack::exchange_capsule) == 0) return nullptr;
  const auto* api = served_version(static_cast<const dlpack::ExchangeApi*>(
      PyCapsule_GetPointer(capsule.ptr(), dlpack::exchange_capsule)));
  return api != nullptr && api->tensor_of != nullptr ? api : nullptr;
}

/// What `__dlpack__` answers, with the keywords that the array's library knows.
nb::object export_capsule(nb::handle array, std::optional<StreamAddress> stream) {
  const nb::object exported = array.attr("__dlpack__");
  nb::dict keywords;
  // The standard calls the legacy default stream 1, because 0 was used for both kinds of default.
  if (stream) keywords["stream"] = nb::int_(*stream == 0 ? StreamAddress{1} : *stream);
  keywords["max_version"] = nb::make_tuple(served_major, 1);
  try {
    return exported(**keywords);
  } catch (nb::python_error& error) {
    if (!error.matches(PyExc_TypeError)) throw;
  }
  nb::del(keywords["max_version"]);  // not known to a library from before DLPack 1.0
  return exported(**keywords);
}

}  // namespace

const dlpack::ExchangeApi* exchange_api(nb::handle array) {
  // Guarded by the GIL. Types are kept alive, so that no other takes a known one's address.
  static auto& known = *new std::unordered_map<PyObject*, const dlpack::ExchangeApi*>;
  static std::pair<PyObject*, const dlpack::ExchangeApi*>
      last;  // most calls have arrays of one type
  const nb::handle type = array.type();
  if (type.ptr() == last.first) return last.second;
  auto found = known.find(type.ptr());
  if (found == known.end()) {
    const dlpack::ExchangeApi* api = find_exchange_api(type);
    found = known.emplace(type.inc_ref().ptr(), api).first;
  }
  last = *found;
  return last.second;
}

ImportedArray::ImportedArray(const char* name, nb::handle array,
                             std::optional<StreamAddress> stream)
    : name_(name) {
  if (const dlpack::ExchangeApi* api = exchange_api(array)) {
    if (api->tensor_of(array.ptr(), &tensor_) != 0) throw nb::python_error();
  } else {
    import_by_capsule(array, stream);
  }
  if (tensor_.device.type != dlpack::cpu && tensor_.device.type != dlpack::cuda_host && !on_cuda())
    raise(PyExc_NotImplementedError,
          "%s: lies on a device of DLPack's type %d; the CPU and CUDA are served", name,
          static_cast<int>(tensor_.device.type));
}

void ImportedArray::import_by_capsule(nb::handle array, std::optional<StreamAddress> stream) {
  if (!nb::hasattr(array, "__dlpack__") || !nb::hasattr(array, "__dlpack_device__"))
    raise(PyExc_TypeError, "%s: a %s is no array that speaks DLPack", name_,
          nb::type_name(array.type()).c_str());
  const auto device = nb::cast<nb::tuple>(array.attr("__dlpack_device__")());
  const int type = nb::cast<int>(nb::int_(device[0]));
  const bool cuda = type == dlpack::cuda || type == dlpack::cuda_managed;
  if (!cuda) stream.reset();
  capsule_ = export_capsule(array, stream);
  // Not marked as used: the capsule stays the owner, and frees the description with itself.
  if (PyCapsule_IsValid(capsule_.ptr(), "dltensor_versioned") != 0) {
    const auto* managed = static_cast<const dlpack::ManagedTensorVersioned*>(
        PyCapsule_GetPointer(capsule_.ptr(), "dltensor_versioned"));
    if (managed->version.major != served_major)
      raise(PyExc_BufferError, "%s: its DLPack is version %u.%u; 1 is read here", name_,
            managed->version.major, managed->version.minor);
    tensor_ = managed->tensor;
    read_only_ = (managed->flags & dlpack::read_only) != 0;
  } else if (PyCapsule_IsValid(capsule_.ptr(), "dltensor") != 0) {
    tensor_ =
        static_cast<const dlpack::ManagedTensor*>(PyCapsule_GetPointer(capsule_.ptr(), "dltensor"))
            ->tensor;
  } else {
    raise(PyExc_BufferError, "%s: its __dlpack__ gave no DLPack capsule", name_);
  }
}

bool ImportedArray::on_cuda() const {
  return tensor_.device.type == dlpack::cuda || tensor_.device.type == dlpack::cuda_managed;
}

bool ImportedArray::empty() const {
  return std::any_of(tensor_.shape, tensor_.shape + ndim(), [](auto size) { return size == 0; });
}

std::span<const std::int64_t> ImportedArray::shape() const {
  return {tensor_.shape, static_cast<std::size_t>(ndim())};
}

std::span<const std::int64_t> ImportedArray::strides() const {
  if (tensor_.strides == nullptr) return {};
  return {tensor_.strides, static_cast<std::size_t>(ndim())};
}

bool ImportedArray::dense() const {
  if (tensor_.strides == nullptr || empty()) return false;
  // From the innermost dimension out: one of the others must step over what is spanned so far.
  std::int64_t spanned = 1;
  for (int found = 0; found < ndim(); ++found) {
    int next = 0;
    while (next < ndim() && (size(next) == 1 || tensor_.strides[next] != spanned)) ++next;
    if (next == ndim()) break;
    spanned *= size(next);
  }
  return spanned == std::accumulate(tensor_.shape, tensor_.shape + ndim(), std::int64_t{1},
                                    std::multiplies<>());
}

std::int64_t ImportedArray::stride(int dimension) const {
  const bool followed = size(dimension) > 1 && !empty();
  if (tensor_.strides != nullptr && followed) return tensor_.strides[dimension];
  std::int64_t stride = 1;
  for (int inner = dimension + 1; inner < ndim(); ++inner) stride *= size(inner);
  return stride;
}

}  // namespace flashcore::python
