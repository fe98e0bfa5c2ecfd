// A driver with two GPUs that compute nothing: its memory is the host's, and it remembers what it
// was asked. Loaded through FLASHCORE_LIBCUDA, so that the runtime is tested without a GPU.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>

#include "fake_driver.h"

#define FAKE extern "C" __attribute__((visibility("default")))

namespace flashcore::cuda {

FAKE FakeDriver* fake_driver() {
  static FakeDriver fake;
  return &fake;
}

/// For tests that know no C++: how often a call was made, and the stream of the last launch.
FAKE int fake_call_count(const char* call) {
  const auto& calls = fake_driver()->calls;
  return static_cast<int>(std::count(calls.begin(), calls.end(), call));
}
FAKE void* fake_launch_stream() {
  return fake_driver()->launch.stream;
}

namespace {

/// Notes the call and says how it ends.
api::Result note(const char* call) {
  fake_driver()->calls.emplace_back(call);
  return fake_driver()->failing_call == call ? fake_driver()->failure : api::success;
}

/// Handles are addresses of nothing, told apart by their number.
template <typename Handle>
Handle handle(std::uintptr_t number) {
  return reinterpret_cast<Handle>(number);
}

int attribute_of(api::DeviceAttribute attribute) {
  switch (attribute) {
    case api::compute_capability_major: return 9;
    case api::compute_capability_minor: return 0;
    case api::multiprocessor_count: return 132;
    case api::max_shared_bytes_per_block_optin: return 227 * 1024;
    case api::max_shared_bytes_per_multiprocessor: return 228 * 1024;
    case api::max_registers_per_multiprocessor: return 65536;
    case api::max_threads_per_block: return 1024;
    case api::max_threads_per_multiprocessor: return 2048;
    case api::clock_rate_khz: return 1980000;
    default: return 1000 + attribute;
  }
}

/// Bytes of every buffer that is alive, by its address.
std::map<api::Pointer, std::size_t>& allocated() {
  static std::map<api::Pointer, std::size_t> buffers;
  return buffers;
}

void* host(api::Pointer pointer) {
  return reinterpret_cast<void*>(pointer);
}

}  // namespace

FAKE api::Result cuInit(unsigned) {
  return note("cuInit");
}
FAKE api::Result cuDriverGetVersion(int* version) {
  *version = 13000;
  return api::success;
}
FAKE api::Result cuGetErrorName(api::Result result, const char** name) {
  *name = result == api::error_out_of_memory ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_FAKE";
  return api::success;
}
FAKE api::Result cuGetErrorString(api::Result, const char** text) {
  *text = "as the test wanted";
  return api::success;
}
FAKE api::Result cuDeviceGetCount(int* count) {
  *count = 2;
  return api::success;
}
FAKE api::Result cuDeviceGet(api::Device* device, int ordinal) {
  *device = ordinal;
  return api::success;
}
FAKE api::Result cuDeviceGetName(char* name, int length, api::Device) {
  std::strncpy(name, "Fake GPU", static_cast<std::size_t>(length));
  return api::success;
}
FAKE api::Result cuDeviceGetUuid_v2(api::Uuid* uuid, api::Device device) {
  uuid->bytes.fill(static_cast<unsigned char>(0xa0 + device));
  return api::success;
}
FAKE api::Result cuDeviceGetAttribute(int* value, api::DeviceAttribute attribute, api::Device) {
  *value = attribute_of(attribute);
  return api::success;
}
FAKE api::Result cuDeviceTotalMem_v2(std::size_t* bytes, api::Device) {
  *bytes = std::size_t{80} << 30;
  return api::success;
}
FAKE api::Result cuDevicePrimaryCtxRetain(api::Context* context, api::Device device) {
  *context = handle<api::Context>(0x100U + static_cast<unsigned>(device));
  return note("cuDevicePrimaryCtxRetain");
}
FAKE api::Result cuCtxGetCurrent(api::Context* context) {
  const auto& stack = fake_driver()->contexts;
  *context = stack.empty() ? nullptr : stack.back();
  return api::success;
}
FAKE api::Result cuCtxPushCurrent_v2(api::Context context) {
  fake_driver()->contexts.push_back(context);
  return note("cuCtxPushCurrent");
}
FAKE api::Result cuCtxPopCurrent_v2(api::Context* context) {
  *context = fake_driver()->contexts.back();
  fake_driver()->contexts.pop_back();
  return note("cuCtxPopCurrent");
}
FAKE api::Result cuCtxSynchronize() {
  return note("cuCtxSynchronize");
}
FAKE api::Result cuModuleLoadData(api::Module* module, const void*) {
  *module = handle<api::Module>(0x200);
  return note("cuModuleLoadData");
}
FAKE api::Result cuModuleUnload(api::Module) {
  return note("cuModuleUnload");
}
FAKE api::Result cuModuleGetFunction(api::Function* function, api::Module, const char*) {
  *function = handle<api::Function>(0x300);
  return note("cuModuleGetFunction");
}
FAKE api::Result cuFuncSetAttribute(api::Function, api::FunctionAttribute, int value) {
  fake_driver()->shared_limit = value;
  return note("cuFuncSetAttribute");
}
FAKE api::Result cuLaunchKernelEx(const api::LaunchConfig* config, api::Function, void** params,
                                  void**) {
  fake_driver()->launch = *config;
  fake_driver()->launch_attributes.assign(config->attributes,
                                          config->attributes + config->attribute_count);
  std::memcpy(&fake_driver()->launched_value, params[0], sizeof(int));
  return note("cuLaunchKernelEx");
}
FAKE api::Result cuTensorMapEncodeTiled(void* map, api::TensorMapDataType data_type,
                                        std::uint32_t rank, void* base, const std::uint64_t* dims,
                                        const std::uint64_t* strides_bytes,
                                        const std::uint32_t* box,
                                        const std::uint32_t* element_strides, int interleave,
                                        int swizzle, int promotion, int fill) {
  fake_driver()->encoded = {data_type,
                            rank,
                            base,
                            {dims, dims + rank},
                            {strides_bytes, strides_bytes + rank - 1},
                            {box, box + rank},
                            {element_strides, element_strides + rank},
                            interleave,
                            swizzle,
                            promotion,
                            fill};
  std::memset(map, 0x5A, 128);
  return note("cuTensorMapEncodeTiled");
}
FAKE api::Result cuMemAlloc_v2(api::Pointer* pointer, std::size_t bytes) {
  const api::Result result = note("cuMemAlloc");
  if (result != api::success) return result;
  constexpr std::size_t alignment = 256;  // as a GPU's
  *pointer = reinterpret_cast<api::Pointer>(
      std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment));
  allocated()[*pointer] = bytes;
  ++fake_driver()->allocations;
  return result;
}
FAKE api::Result cuMemFree_v2(api::Pointer pointer) {
  std::free(host(pointer));
  allocated().erase(pointer);
  --fake_driver()->allocations;
  return note("cuMemFree");
}
FAKE api::Result cuMemcpyHtoD_v2(api::Pointer to, const void* from, std::size_t bytes) {
  std::memcpy(host(to), from, bytes);
  return note("cuMemcpyHtoD");
}
FAKE api::Result cuMemcpyDtoH_v2(void* to, api::Pointer from, std::size_t bytes) {
  std::memcpy(to, host(from), bytes);
  return note("cuMemcpyDtoH");
}
FAKE api::Result cuMemsetD8_v2(api::Pointer to, unsigned char value, std::size_t bytes) {
  std::memset(host(to), value, bytes);
  return note("cuMemsetD8");
}
/// Every address but null is device memory.
FAKE api::Result cuPointerGetAttributes(unsigned, api::PointerAttribute*, void** values,
                                        api::Pointer pointer) {
  *static_cast<unsigned*>(values[0]) = pointer == 0 ? 0 : 2;  // CU_MEMORYTYPE_DEVICE
  api::Pointer start = pointer;
  std::size_t bytes = pointer == 0 ? 0 : 1;
  for (const auto& [first, size] : allocated())
    if (pointer - first < size) start = first, bytes = size;
  *static_cast<api::Pointer*>(values[1]) = start;
  *static_cast<std::size_t*>(values[2]) = bytes;
  return note("cuPointerGetAttributes");
}
FAKE api::Result cuStreamCreate(api::Stream* stream, unsigned) {
  *stream = handle<api::Stream>(0x400);
  return note("cuStreamCreate");
}
FAKE api::Result cuStreamDestroy_v2(api::Stream) {
  return note("cuStreamDestroy");
}
FAKE api::Result cuStreamSynchronize(api::Stream) {
  return note("cuStreamSynchronize");
}
FAKE api::Result cuStreamBeginCapture_v2(api::Stream, api::CaptureMode mode) {
  fake_driver()->capture_mode = mode;
  return note("cuStreamBeginCapture");
}
FAKE api::Result cuStreamEndCapture(api::Stream, api::Graph* graph) {
  *graph = handle<api::Graph>(0x500);
  return note("cuStreamEndCapture");
}
FAKE api::Result cuStreamIsCapturing(api::Stream stream, api::CaptureStatus* status) {
  *status = stream == fake_driver()->captured_stream ? api::capture_active : api::capture_none;
  return api::success;
}
FAKE api::Result cuThreadExchangeStreamCaptureMode(api::CaptureMode* mode) {
  std::swap(*mode, fake_driver()->thread_mode);
  return note("cuThreadExchangeStreamCaptureMode");
}
FAKE api::Result cuGraphGetNodes(api::Graph, api::GraphNode* node, std::size_t* count) {
  *node = handle<api::GraphNode>(0x800);
  *count = 1;
  return api::success;
}
FAKE api::Result cuGraphExecKernelNodeSetParams_v2(api::GraphExec, api::GraphNode,
                                                   const api::KernelNodeParams* node) {
  fake_driver()->node = *node;
  std::memcpy(&fake_driver()->launched_value, node->params[0], sizeof(int));
  return note("cuGraphExecKernelNodeSetParams");
}
FAKE api::Result cuGraphInstantiateWithFlags(api::GraphExec* executable, api::Graph,
                                             unsigned long long) {
  *executable = handle<api::GraphExec>(0x600);
  return note("cuGraphInstantiate");
}
FAKE api::Result cuGraphLaunch(api::GraphExec, api::Stream stream) {
  fake_driver()->launch.stream = stream;
  return note("cuGraphLaunch");
}
FAKE api::Result cuGraphExecDestroy(api::GraphExec) {
  return note("cuGraphExecDestroy");
}
FAKE api::Result cuGraphDestroy(api::Graph) {
  return note("cuGraphDestroy");
}
FAKE api::Result cuEventCreate(api::Event* event, unsigned) {
  *event = handle<api::Event>(0x700);
  return note("cuEventCreate");
}
FAKE api::Result cuEventDestroy_v2(api::Event) {
  return note("cuEventDestroy");
}
FAKE api::Result cuEventRecord(api::Event, api::Stream) {
  return note("cuEventRecord");
}
FAKE api::Result cuEventSynchronize(api::Event) {
  return note("cuEventSynchronize");
}
FAKE api::Result cuEventElapsedTime(float* milliseconds, api::Event, api::Event) {
  *milliseconds = 0.25F;
  return note("cuEventElapsedTime");
}

}  // namespace flashcore::cuda
