#include "cuda/driver.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <deque>
#include <mutex>

#include "core/error.h"
#include "cuda/driver_api.h"
#include "cuda/load_driver.h"

namespace flashcore::cuda {

using core::fail;
using core::Status;

namespace {

const LoadedDriver& loaded_driver() {
  static const LoadedDriver loaded = [] {
    const char* path = std::getenv("FLASHCORE_LIBCUDA");
    return load_driver(path == nullptr ? "" : path);
  }();
  return loaded;
}

int attribute(api::Device device, api::DeviceAttribute id) {
  int value = 0;
  api::check(api::driver().cuDeviceGetAttribute(&value, id, device), "cuDeviceGetAttribute");
  return value;
}

/// "GPU-4a1f…", as nvidia-smi prints it.
std::string uuid_text(const api::Uuid& uuid) {
  std::string text = "GPU";
  for (std::size_t i = 0; i < uuid.bytes.size(); ++i) {
    if (i == 0 || i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", uuid.bytes[i]);
  }
  return text;
}

core::GpuLimits query_limits(api::Device device) {
  core::GpuLimits limits;
  limits.arch.major = attribute(device, api::compute_capability_major);
  limits.arch.minor = attribute(device, api::compute_capability_minor);
  // From 9.0 on a GPU runs its architecture's specific instructions (wgmma, tma): code for exactly
  // this GPU is compiled for the specific architecture.
  limits.arch.specific = limits.arch.major >= 9;
  limits.multiprocessors = attribute(device, api::multiprocessor_count);
  limits.shared_bytes_per_block = attribute(device, api::max_shared_bytes_per_block_optin);
  limits.shared_bytes_per_multiprocessor =
      attribute(device, api::max_shared_bytes_per_multiprocessor);
  limits.registers_per_multiprocessor = attribute(device, api::max_registers_per_multiprocessor);
  limits.max_threads_per_block = attribute(device, api::max_threads_per_block);
  limits.max_threads_per_multiprocessor = attribute(device, api::max_threads_per_multiprocessor);
  return limits;
}

DeviceInfo query_device(int ordinal, api::Device device) {
  const api::Driver& driver = api::driver();
  DeviceInfo info;
  info.ordinal = ordinal;
  std::array<char, 256> name{};
  api::check(driver.cuDeviceGetName(name.data(), int{name.size()} - 1, device), "cuDeviceGetName");
  info.name = name.data();
  api::Uuid uuid{};
  api::check(driver.cuDeviceGetUuid_v2(&uuid, device), "cuDeviceGetUuid");
  info.uuid = uuid_text(uuid);
  api::check(driver.cuDeviceTotalMem_v2(&info.memory_bytes, device), "cuDeviceTotalMem");
  info.limits = query_limits(device);
  info.reaches_host_memory = attribute(device, api::pageable_memory_access) != 0;
  info.l2_bytes = static_cast<std::size_t>(attribute(device, api::l2_cache_bytes));
  info.clock_khz = attribute(device, api::clock_rate_khz);
  info.memory_clock_khz = attribute(device, api::memory_clock_rate_khz);
  info.memory_bus_bits = attribute(device, api::memory_bus_width_bits);
  return info;
}

/// One GPU: what it is, asked once, and its primary context, retained at its first use and kept for
/// the life of the process. It is the context that cudart, and so PyTorch, uses.
class DeviceState {
 public:
  explicit DeviceState(int ordinal) : ordinal_(ordinal) {}

  const DeviceInfo& info() {
    const std::scoped_lock lock(mutex_);
    if (!info_known_) {
      info_ = query_device(ordinal_, handle());
      info_known_ = true;
    }
    return info_;
  }

  api::Context context() {
    if (const api::Context context = context_.load(std::memory_order_acquire)) return context;
    const std::scoped_lock lock(mutex_);
    api::Context context = context_.load(std::memory_order_relaxed);
    if (context == nullptr) {
      api::check(api::driver().cuDevicePrimaryCtxRetain(&context, handle()),
                 "cuDevicePrimaryCtxRetain");
      context_.store(context, std::memory_order_release);
    }
    return context;
  }

 private:
  [[nodiscard]] api::Device handle() const {
    api::Device device = 0;
    api::check(api::driver().cuDeviceGet(&device, ordinal_), "cuDeviceGet");
    return device;
  }

  int ordinal_;
  std::mutex mutex_;
  bool info_known_ = false;
  DeviceInfo info_;
  std::atomic<api::Context> context_ = nullptr;
};

DeviceState& device_state(int ordinal) {
  static std::deque<DeviceState>& devices = [&]() -> std::deque<DeviceState>& {
    auto* all = new std::deque<DeviceState>;  // lives as long as the process: threads may use it
    for (int i = 0; i < device_count(); ++i) all->emplace_back(i);
    return *all;
  }();
  if (!driver_available()) fail(Status::no_device, "device: {}", driver_unavailable_reason());
  if (ordinal < 0 || ordinal >= device_count())
    fail(Status::no_device, "device: GPU {} was asked for, and there are {} here", ordinal,
         device_count());
  return devices[static_cast<std::size_t>(ordinal)];
}

}  // namespace

namespace api {

const Driver& driver() {
  const LoadedDriver& loaded = loaded_driver();
  if (!loaded.reason.empty()) [[unlikely]]
    fail(Status::no_device, "device: {}", loaded.reason);
  return loaded.api;
}

void fail_call(const char* call, Result result) {
  Status status = Status::device_failed;
  if (result == error_out_of_memory) status = Status::out_of_memory;
  if (result == error_no_device || result == error_invalid_device) status = Status::no_device;
  fail(status, "{}: {}", call, describe(driver(), result));
}

}  // namespace api

bool driver_available() {
  return loaded_driver().reason.empty();
}
std::string driver_unavailable_reason() {
  return loaded_driver().reason;
}
int driver_version() {
  return loaded_driver().version;
}
int device_count() {
  return loaded_driver().device_count;
}
const DeviceInfo& device_info(int ordinal) {
  return device_state(ordinal).info();
}

DeviceGuard::DeviceGuard(int ordinal) {
  const api::Context wanted = device_state(ordinal).context();
  const api::Driver& driver = api::driver();
  api::Context current = nullptr;
  api::check(driver.cuCtxGetCurrent(&current), "cuCtxGetCurrent");
  if (current == wanted) return;
  api::check(driver.cuCtxPushCurrent_v2(wanted), "cuCtxPushCurrent");
  pushed_ = true;
}

DeviceGuard::~DeviceGuard() {
  if (!pushed_) return;
  api::Context popped = nullptr;
  api::driver().cuCtxPopCurrent_v2(&popped);
}

}  // namespace flashcore::cuda
