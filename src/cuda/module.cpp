#include "cuda/module.h"

#include "cuda/driver.h"
#include "cuda/driver_api.h"

namespace flashcore::cuda {

// cuModuleLoadData into the device's primary context, rather than cuLibraryLoadData: a library is
// loaded into a context at its first launch, which would put that work into someone's first timed
// or captured call; a module is loaded here, and drivers before CUDA 12 have it too.
Kernel load_module(std::span<const std::uint8_t> cubin, const std::string& symbol,
                   int device_ordinal) {
  const DeviceGuard guard(device_ordinal);
  const api::Driver& driver = api::driver();
  api::Module module = nullptr;
  api::check(driver.cuModuleLoadData(&module, cubin.data()), "cuModuleLoadData");
  api::Function function = nullptr;
  if (const auto result = driver.cuModuleGetFunction(&function, module, symbol.c_str());
      result != api::success) {
    driver.cuModuleUnload(module);
    api::fail_call("cuModuleGetFunction", result);
  }
  return Kernel(function);
}

void allow_shared_bytes(const Kernel& kernel, unsigned bytes, int device_ordinal) {
  const DeviceGuard guard(device_ordinal);
  api::check(
      api::driver().cuFuncSetAttribute(static_cast<api::Function>(kernel.function()),
                                       api::max_dynamic_shared_bytes, static_cast<int>(bytes)),
      "cuFuncSetAttribute(MAX_DYNAMIC_SHARED_SIZE_BYTES)");
}

}  // namespace flashcore::cuda
