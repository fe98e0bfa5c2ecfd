// The C boundary: exceptions become status codes here, and nowhere else.
#include <flashcore/flashcore.h>

#include <mutex>
#include <new>
#include <set>
#include <string>

#include "api/check.h"
#include "core/error.h"
#include "cuda/driver.h"
#include "jit/kernel_store.h"

namespace {

using flashcore::core::fail;
using flashcore::core::Status;

std::string& last_error() {
  thread_local std::string message;
  return message;
}

flashcore_status record(Status status, const char* message) noexcept {
  try {
    last_error() = message;
  } catch (...) {
    last_error().clear();  // no memory even for the message; the status says enough
  }
  return static_cast<flashcore_status>(status);
}

/// Runs the body; what it throws becomes a status and this thread's last error.
template <typename Body>
flashcore_status guarded(Body&& body) noexcept {
  try {
    body();
    return FLASHCORE_OK;
  } catch (const flashcore::core::Error& error) {
    return record(error.status(), error.what());
  } catch (const std::bad_alloc&) {
    return record(Status::out_of_memory, "host memory ran out");
  } catch (const std::exception& error) {
    return record(Status::internal, error.what());
  } catch (...) {
    return record(Status::internal, "an exception of an unknown type");
  }
}

/// The same text at an address that stays valid.
const char* interned(const std::string& text) {
  static std::mutex mutex;
  static auto* texts = new std::set<std::string>;  // never destroyed: callers keep the addresses
  const std::lock_guard lock(mutex);
  return texts->insert(text).first->c_str();
}

}  // namespace

extern "C" {

flashcore_status flashcore_attention_forward(const flashcore_attention* attention,
                                             const flashcore_execution* execution) {
  return guarded([&] {
    const auto call = flashcore::api::check(attention, execution, flashcore::api::Data::required);
    flashcore::dispatch::attention_forward(call.problem, call.device, call.arguments, call.stream);
  });
}

flashcore_status flashcore_workspace_size(const flashcore_attention* attention,
                                          const flashcore_execution* execution, size_t* bytes) {
  return guarded([&] {
    if (bytes == nullptr) fail(Status::invalid_argument, "bytes: is null");
    const auto call = flashcore::api::check(attention, execution, flashcore::api::Data::optional);
    *bytes = flashcore::dispatch::workspace_bytes(call.problem, call.device);
  });
}

flashcore_status flashcore_supports(const flashcore_attention* attention,
                                    const flashcore_execution* execution) {
  return guarded([&] {
    const auto call = flashcore::api::check(attention, execution, flashcore::api::Data::optional);
    const auto support = flashcore::dispatch::supports(call.problem, call.device);
    if (!support) fail(Status::unsupported, "{}", support.reason());
  });
}

flashcore_status flashcore_choose(const flashcore_attention* attention,
                                  const flashcore_execution* execution, flashcore_choice* choice) {
  return guarded([&] {
    if (choice == nullptr) fail(Status::invalid_argument, "choice: is null");
    if (choice->struct_size != sizeof *choice)
      fail(Status::invalid_argument, "choice: struct_size is {}, this library's is {}",
           choice->struct_size, sizeof *choice);
    const auto call = flashcore::api::check(attention, execution, flashcore::api::Data::optional);
    const auto chosen = flashcore::dispatch::choose(call.problem, call.device);
    choice->backend = name(chosen.backend);
    choice->family = interned(chosen.family);
    choice->config = interned(chosen.config);
    choice->reason = interned(chosen.reason);
  });
}

flashcore_status flashcore_load_pack(const char* path) {
  return guarded([&] {
    if (path == nullptr) fail(Status::invalid_argument, "path: is null");
    flashcore::jit::load_pack(path);
  });
}

flashcore_status flashcore_cuda_device_count(int32_t* count) {
  return guarded([&] {
    if (count == nullptr) fail(Status::invalid_argument, "count: is null");
    *count = flashcore::cuda::device_count();
    if (*count == 0) last_error() = flashcore::cuda::driver_unavailable_reason();
  });
}

const char* flashcore_last_error(void) {
  return last_error().c_str();
}

const char* flashcore_status_name(flashcore_status status) {
  return name(static_cast<Status>(status)).data();
}

const char* flashcore_version(void) {
  return FLASHCORE_VERSION;
}
}
