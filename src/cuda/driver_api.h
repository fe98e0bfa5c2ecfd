// The part of the NVIDIA driver API that is used here, declared by hand: nothing includes a CUDA
// header, so the library builds on a machine that has none. Names and layouts are the driver's
// (cuda.h, which redirects several calls to the _v2 symbols that are named here in full).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace flashcore::cuda {
struct LaunchShape;
}

namespace flashcore::cuda::api {

using Result = int;  // CUresult
inline constexpr Result success = 0;
inline constexpr Result error_out_of_memory = 2;
inline constexpr Result error_no_device = 100;
inline constexpr Result error_invalid_device = 101;

using Device = int;
using Pointer = std::uint64_t;  // CUdeviceptr
using Context = struct OpaqueContext*;
using Module = struct OpaqueModule*;
using Function = struct OpaqueFunction*;
using Stream = struct OpaqueStream*;
using Event = struct OpaqueEvent*;
using Graph = struct OpaqueGraph*;
using GraphNode = struct OpaqueGraphNode*;
using GraphExec = struct OpaqueGraphExec*;

enum DeviceAttribute : int {
  max_threads_per_block = 1,
  clock_rate_khz = 13,
  multiprocessor_count = 16,
  memory_clock_rate_khz = 36,
  memory_bus_width_bits = 37,
  l2_cache_bytes = 38,
  max_threads_per_multiprocessor = 39,
  compute_capability_major = 75,
  compute_capability_minor = 76,
  max_shared_bytes_per_multiprocessor = 81,
  max_registers_per_multiprocessor = 82,
  pageable_memory_access = 88,
  max_shared_bytes_per_block_optin = 97,
};

enum FunctionAttribute : int { max_dynamic_shared_bytes = 8 };
enum PointerAttribute : int { memory_type = 2, range_start = 11, range_bytes = 12 };
enum LaunchAttributeId : int { programmatic_stream_serialization = 6 };
enum TensorMapDataType : int { tensor_float16 = 6, tensor_bfloat16 = 9 };
inline constexpr int tensor_promotion_l2_128b = 2;
enum CaptureMode : int { capture_thread_local = 1, capture_relaxed = 2 };
enum CaptureStatus : int { capture_none = 0, capture_active = 1 };
inline constexpr unsigned stream_non_blocking = 1;

struct Uuid {
  std::array<unsigned char, 16> bytes;
};

struct LaunchAttribute {  // CUlaunchAttribute: the id, then a union of 64 bytes at offset 8
  LaunchAttributeId id;
  alignas(8) std::array<unsigned, 16> value;
};
static_assert(sizeof(LaunchAttribute) == 72 && offsetof(LaunchAttribute, value) == 8);

struct LaunchDims {  // what the next two have in common
  unsigned grid_x, grid_y, grid_z;
  unsigned block_x, block_y, block_z;
  unsigned shared_bytes;
};

/// Throws what require_clusters throws.
LaunchDims dims_of(const LaunchShape& shape);

struct LaunchConfig {  // CUlaunchConfig
  LaunchDims dims;
  Stream stream;
  LaunchAttribute* attributes;
  unsigned attribute_count;
};
static_assert(sizeof(LaunchConfig) == 56 && offsetof(LaunchConfig, stream) == 32);

struct KernelNodeParams {  // CUDA_KERNEL_NODE_PARAMS_v2
  Function function;
  LaunchDims dims;
  void** params;
  void** extra;
  void* kernel;
  Context context;
};
static_assert(sizeof(KernelNodeParams) == 72 && offsetof(KernelNodeParams, params) == 40);

/// The entry points, each under its symbol's name.
struct Driver {
  Result (*cuInit)(unsigned flags);
  Result (*cuDriverGetVersion)(int* version);
  Result (*cuGetErrorName)(Result, const char**);
  Result (*cuGetErrorString)(Result, const char**);
  Result (*cuDeviceGetCount)(int*);
  Result (*cuDeviceGet)(Device*, int ordinal);
  Result (*cuDeviceGetName)(char* name, int length, Device);
  Result (*cuDeviceGetUuid_v2)(Uuid*, Device);
  Result (*cuDeviceGetAttribute)(int* value, DeviceAttribute, Device);
  Result (*cuDeviceTotalMem_v2)(std::size_t*, Device);
  Result (*cuDevicePrimaryCtxRetain)(Context*, Device);
  Result (*cuCtxGetCurrent)(Context*);
  Result (*cuCtxPushCurrent_v2)(Context);
  Result (*cuCtxPopCurrent_v2)(Context*);
  Result (*cuCtxSynchronize)();
  Result (*cuModuleLoadData)(Module*, const void* image);
  Result (*cuModuleUnload)(Module);
  Result (*cuModuleGetFunction)(Function*, Module, const char* name);
  Result (*cuFuncSetAttribute)(Function, FunctionAttribute, int value);
  Result (*cuLaunchKernelEx)(const LaunchConfig*, Function, void** params, void** extra);
  Result (*cuMemAlloc_v2)(Pointer*, std::size_t bytes);
  Result (*cuMemFree_v2)(Pointer);
  Result (*cuMemcpyHtoD_v2)(Pointer, const void*, std::size_t bytes);
  Result (*cuMemcpyDtoH_v2)(void*, Pointer, std::size_t bytes);
  Result (*cuMemsetD8_v2)(Pointer, unsigned char value, std::size_t bytes);
  Result (*cuPointerGetAttributes)(unsigned count, PointerAttribute*, void** values, Pointer);
  Result (*cuStreamCreate)(Stream*, unsigned flags);
  Result (*cuStreamDestroy_v2)(Stream);
  Result (*cuStreamSynchronize)(Stream);
  Result (*cuStreamBeginCapture_v2)(Stream, CaptureMode);
  Result (*cuStreamEndCapture)(Stream, Graph*);
  Result (*cuStreamIsCapturing)(Stream, CaptureStatus*);
  Result (*cuThreadExchangeStreamCaptureMode)(CaptureMode*);
  Result (*cuGraphGetNodes)(Graph, GraphNode*, std::size_t* count);
  /// Null in drivers before CUDA 12.0.
  Result (*cuGraphExecKernelNodeSetParams_v2)(GraphExec, GraphNode, const KernelNodeParams*);
  Result (*cuGraphInstantiateWithFlags)(GraphExec*, Graph, unsigned long long flags);
  Result (*cuGraphLaunch)(GraphExec, Stream);
  Result (*cuGraphExecDestroy)(GraphExec);
  Result (*cuGraphDestroy)(Graph);
  Result (*cuEventCreate)(Event*, unsigned flags);
  Result (*cuEventDestroy_v2)(Event);
  Result (*cuEventRecord)(Event, Stream);
  Result (*cuEventSynchronize)(Event);
  Result (*cuEventElapsedTime)(float* milliseconds, Event start, Event stop);
  /// Null in drivers before CUDA 12.0. A map is 128 bytes, aligned to 64.
  Result (*cuTensorMapEncodeTiled)(void* map, TensorMapDataType, std::uint32_t rank, void* base,
                                   const std::uint64_t* dims, const std::uint64_t* strides_bytes,
                                   const std::uint32_t* box, const std::uint32_t* element_strides,
                                   int interleave, int swizzle, int promotion, int fill);
};

/// The loaded driver. Throws no_device with driver_unavailable_reason().
const Driver& driver();

/// Throws device_failed, out_of_memory or no_device, naming the call and the driver's error.
[[noreturn]] void fail_call(const char* call, Result result);

inline void check(Result result, const char* call) {
  if (result != success) [[unlikely]]
    fail_call(call, result);
}

}  // namespace flashcore::cuda::api
