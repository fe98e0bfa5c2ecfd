#include "cuda/memory.h"

#include <bit>

#include "core/error.h"
#include "cuda/driver_api.h"

namespace flashcore::cuda {
namespace {

api::Pointer address(const void* pointer) {
  return std::bit_cast<api::Pointer>(pointer);
}

/// The plain calls may return before the device is done (cuda.h, "API synchronization behavior"),
/// and streams here do not wait for the default one.
void finish() {
  api::check(api::driver().cuStreamSynchronize(nullptr), "cuStreamSynchronize");
}

}  // namespace

Buffer::Buffer(std::size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  api::Pointer pointer = 0;
  if (const auto result = api::driver().cuMemAlloc_v2(&pointer, bytes);
      result == api::error_out_of_memory)
    core::fail(core::Status::out_of_memory, "device memory: {} bytes could not be allocated",
               bytes);
  else
    api::check(result, "cuMemAlloc");
  data_ = std::bit_cast<void*>(pointer);
}

Buffer::~Buffer() {
  if (data_ != nullptr) api::driver().cuMemFree_v2(address(data_));
}

bool known_to_driver(const void* pointer) {
  unsigned type = 0;
  const auto result =
      api::driver().cuPointerGetAttribute(&type, api::memory_type, address(pointer));
  if (result == api::error_invalid_value) return false;
  api::check(result, "cuPointerGetAttribute");
  return true;
}

void copy_to_device(void* device, const void* host, std::size_t bytes) {
  if (bytes == 0) return;
  api::check(api::driver().cuMemcpyHtoD_v2(address(device), host, bytes), "cuMemcpyHtoD");
  finish();
}

void copy_to_host(void* host, const void* device, std::size_t bytes) {
  if (bytes == 0) return;
  api::check(api::driver().cuMemcpyDtoH_v2(host, address(device), bytes), "cuMemcpyDtoH");
}

void fill(void* device, unsigned char value, std::size_t bytes) {
  if (bytes == 0) return;
  api::check(api::driver().cuMemsetD8_v2(address(device), value, bytes), "cuMemsetD8");
  finish();
}

}  // namespace flashcore::cuda
