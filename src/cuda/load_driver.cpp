#include "cuda/load_driver.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace flashcore::cuda {
namespace {

/// Fills a table's members from a library's symbols and remembers the first that is missing.
class Symbols {
 public:
  explicit Symbols(void* library) : library_(library) {}

  template <typename FunctionPointer>
  void bind(FunctionPointer& member, const char* name) {
    member = reinterpret_cast<FunctionPointer>(dlsym(library_, name));
    if (member == nullptr && missing_ == nullptr) missing_ = name;
  }
  /// Null where the library has none.
  template <typename FunctionPointer>
  void bind_if_there(FunctionPointer& member, const char* name) {
    member = reinterpret_cast<FunctionPointer>(dlsym(library_, name));
  }
  [[nodiscard]] const char* missing() const { return missing_; }

 private:
  void* library_;
  const char* missing_ = nullptr;
};

void bind_devices(Symbols& symbols, api::Driver& driver) {
  symbols.bind(driver.cuInit, "cuInit");
  symbols.bind(driver.cuDriverGetVersion, "cuDriverGetVersion");
  symbols.bind(driver.cuGetErrorName, "cuGetErrorName");
  symbols.bind(driver.cuGetErrorString, "cuGetErrorString");
  symbols.bind(driver.cuDeviceGetCount, "cuDeviceGetCount");
  symbols.bind(driver.cuDeviceGet, "cuDeviceGet");
  symbols.bind(driver.cuDeviceGetName, "cuDeviceGetName");
  symbols.bind(driver.cuDeviceGetUuid_v2, "cuDeviceGetUuid_v2");
  symbols.bind(driver.cuDeviceGetAttribute, "cuDeviceGetAttribute");
  symbols.bind(driver.cuDeviceTotalMem_v2, "cuDeviceTotalMem_v2");
  symbols.bind(driver.cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain");
  symbols.bind(driver.cuCtxGetCurrent, "cuCtxGetCurrent");
  symbols.bind(driver.cuCtxPushCurrent_v2, "cuCtxPushCurrent_v2");
  symbols.bind(driver.cuCtxPopCurrent_v2, "cuCtxPopCurrent_v2");
  symbols.bind(driver.cuCtxSynchronize, "cuCtxSynchronize");
}

void bind_kernels_and_memory(Symbols& symbols, api::Driver& driver) {
  symbols.bind(driver.cuModuleLoadData, "cuModuleLoadData");
  symbols.bind(driver.cuModuleUnload, "cuModuleUnload");
  symbols.bind(driver.cuModuleGetFunction, "cuModuleGetFunction");
  symbols.bind(driver.cuFuncSetAttribute, "cuFuncSetAttribute");
  symbols.bind(driver.cuLaunchKernelEx, "cuLaunchKernelEx");
  symbols.bind(driver.cuMemAlloc_v2, "cuMemAlloc_v2");
  symbols.bind(driver.cuMemFree_v2, "cuMemFree_v2");
  symbols.bind(driver.cuMemcpyHtoD_v2, "cuMemcpyHtoD_v2");
  symbols.bind(driver.cuMemcpyDtoH_v2, "cuMemcpyDtoH_v2");
  symbols.bind(driver.cuMemsetD8_v2, "cuMemsetD8_v2");
  symbols.bind_if_there(driver.cuTensorMapEncodeTiled, "cuTensorMapEncodeTiled");
}

void bind_streams(Symbols& symbols, api::Driver& driver) {
  symbols.bind(driver.cuStreamCreate, "cuStreamCreate");
  symbols.bind(driver.cuStreamDestroy_v2, "cuStreamDestroy_v2");
  symbols.bind(driver.cuStreamSynchronize, "cuStreamSynchronize");
  symbols.bind(driver.cuStreamBeginCapture_v2, "cuStreamBeginCapture_v2");
  symbols.bind(driver.cuStreamEndCapture, "cuStreamEndCapture");
  symbols.bind(driver.cuStreamIsCapturing, "cuStreamIsCapturing");
  symbols.bind(driver.cuEventCreate, "cuEventCreate");
  symbols.bind(driver.cuEventDestroy_v2, "cuEventDestroy_v2");
  symbols.bind(driver.cuEventRecord, "cuEventRecord");
  symbols.bind(driver.cuEventSynchronize, "cuEventSynchronize");
  symbols.bind(driver.cuPointerGetAttributes, "cuPointerGetAttributes");
  symbols.bind(driver.cuEventElapsedTime, "cuEventElapsedTime");
}

void bind_graphs(Symbols& symbols, api::Driver& driver) {
  symbols.bind(driver.cuThreadExchangeStreamCaptureMode, "cuThreadExchangeStreamCaptureMode");
  symbols.bind(driver.cuGraphGetNodes, "cuGraphGetNodes");
  symbols.bind_if_there(driver.cuGraphExecKernelNodeSetParams_v2,
                        "cuGraphExecKernelNodeSetParams_v2");
  symbols.bind(driver.cuGraphInstantiateWithFlags, "cuGraphInstantiateWithFlags");
  symbols.bind(driver.cuGraphLaunch, "cuGraphLaunch");
  symbols.bind(driver.cuGraphExecDestroy, "cuGraphExecDestroy");
  symbols.bind(driver.cuGraphDestroy, "cuGraphDestroy");
}

/// Initialises the driver and asks it for its version and devices; the reason when one call fails.
std::string start(LoadedDriver& loaded) {
  const api::Driver& driver = loaded.api;
  const auto reason = [&](const char* call, api::Result result) {
    return fmt::format("{}: {}", call, describe(driver, result));
  };
  if (const auto result = driver.cuInit(0); result != api::success) return reason("cuInit", result);
  if (const auto result = driver.cuDriverGetVersion(&loaded.version); result != api::success)
    return reason("cuDriverGetVersion", result);
  if (const auto result = driver.cuDeviceGetCount(&loaded.device_count); result != api::success)
    return reason("cuDeviceGetCount", result);
  return {};
}

}  // namespace

LoadedDriver load_driver(const std::string& path) {
  const std::string file = path.empty() ? "libcuda.so.1" : path;
  LoadedDriver loaded;
  // Never closed: kernels, contexts and the driver's own threads outlive every caller.
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    loaded.reason = fmt::format("the NVIDIA driver could not be loaded: {}", dlerror());
    return loaded;
  }
  Symbols symbols(library);
  bind_devices(symbols, loaded.api);
  bind_kernels_and_memory(symbols, loaded.api);
  bind_streams(symbols, loaded.api);
  bind_graphs(symbols, loaded.api);
  if (symbols.missing() != nullptr) {
    loaded.reason = fmt::format("{} has no {}: a driver for CUDA 11.8 or later is needed", file,
                                symbols.missing());
    return loaded;
  }
  if (const std::string reason = start(loaded); !reason.empty()) {
    loaded = {.api = loaded.api, .reason = fmt::format("{}: {}", file, reason)};
  }
  return loaded;
}

std::string describe(const api::Driver& driver, api::Result result) {
  const char* name = nullptr;
  const char* text = nullptr;
  if (driver.cuGetErrorName(result, &name) != api::success || name == nullptr)
    return fmt::format("error {}", result);
  if (driver.cuGetErrorString(result, &text) != api::success || text == nullptr) return name;
  return fmt::format("{} ({})", name, text);
}

}  // namespace flashcore::cuda
