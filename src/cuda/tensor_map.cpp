#include "cuda/tensor_map.h"

#include "core/error.h"
#include "cuda/driver_api.h"

namespace flashcore::cuda {

namespace {

constexpr std::uintptr_t copy_unit = 16;
constexpr std::uint32_t element_bytes = 2;
constexpr std::uint32_t rank = 4;

[[noreturn]] void refuse(const char* what, std::uint64_t value, const char* wanted) {
  core::fail(core::Status::invalid_argument, "tensor map: {} {} is not {}", what, value, wanted);
}

api::TensorMapDataType data_type_of(device::Element element) {
  return element == device::Element::float16 ? api::tensor_float16 : api::tensor_bfloat16;
}

}  // namespace

int swizzle_bytes(Swizzle swizzle) {
  return 16 << static_cast<int>(swizzle);
}

void require_encodable(const TensorBox& tensor, const void* base) {
  if (tensor.element != device::Element::float16 && tensor.element != device::Element::bfloat16)
    refuse("element", static_cast<std::uint64_t>(tensor.element), "fp16 or bf16");
  if (const auto address = reinterpret_cast<std::uintptr_t>(base); address % copy_unit != 0)
    refuse("base", address, "a multiple of 16");
  for (const std::uint64_t dim : tensor.dims)
    if (dim < 1 || dim > std::uint64_t{1} << 32) refuse("dimension", dim, "in [1, 2^32]");
  for (const std::uint64_t stride : tensor.strides_bytes)
    if (stride % copy_unit != 0 || stride >= std::uint64_t{1} << 40)
      refuse("stride", stride, "a multiple of 16 bytes below 2^40");
  for (const std::uint32_t edge : tensor.box)
    if (edge < 1 || edge > 256) refuse("box edge", edge, "in [1, 256]");
  const std::uint32_t line = tensor.box[0] * element_bytes;
  if (line % copy_unit != 0) refuse("line of the box", line, "a multiple of 16 bytes");
  if (tensor.swizzle != Swizzle::none &&
      line != static_cast<std::uint32_t>(swizzle_bytes(tensor.swizzle)))
    refuse("line of the box", line, "as long as the swizzle's");
}

void encode_for_gpu(const TensorBox& tensor, const void* base, device::TensorMap& map) {
  require_encodable(tensor, base);
  const api::Driver& driver = api::driver();
  if (driver.cuTensorMapEncodeTiled == nullptr)
    core::fail(
        core::Status::unsupported,
        "tensor maps need a driver for CUDA 12.0 or later: it has no cuTensorMapEncodeTiled");
  constexpr std::array<std::uint32_t, 4> every_element{1, 1, 1, 1};
  api::check(
      driver.cuTensorMapEncodeTiled(
          &map, data_type_of(tensor.element), rank, const_cast<void*>(base), tensor.dims.data(),
          tensor.strides_bytes.data(), tensor.box.data(), every_element.data(), 0,
          static_cast<int>(tensor.swizzle), api::tensor_promotion_l2_128b, 0),
      "cuTensorMapEncodeTiled");
}

}  // namespace flashcore::cuda
