#include "cuda/memory.h"

#include <array>
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

bool KnownMemory::holds(const void* pointer) {
  if (std::bit_cast<std::uintptr_t>(pointer) - start_ < bytes_) return true;
  // The call for several attributes leaves 0 for an address it does not know; the one for a single
  // attribute calls that an error, which debugging tools report.
  unsigned type = 0;
  api::Pointer start = 0;
  std::size_t bytes = 0;
  std::array<api::PointerAttribute, 3> attributes{api::memory_type, api::range_start,
                                                  api::range_bytes};
  std::array<void*, 3> values{&type, &start, &bytes};
  api::check(api::driver().cuPointerGetAttributes(attributes.size(), attributes.data(),
                                                  values.data(), address(pointer)),
             "cuPointerGetAttributes");
  if (type == 0) return false;
  start_ = start;
  bytes_ = bytes;
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
