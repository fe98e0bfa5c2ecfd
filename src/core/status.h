// The outcome of an operation: the values of flashcore_status, as a C++ enum.
#pragma once

#include <flashcore/flashcore.h>

#include <optional>
#include <string_view>

namespace flashcore::core {

enum class Status {
  ok = FLASHCORE_OK,
  invalid_argument = FLASHCORE_INVALID_ARGUMENT,
  unsupported = FLASHCORE_UNSUPPORTED,
  no_device = FLASHCORE_NO_DEVICE,
  out_of_memory = FLASHCORE_OUT_OF_MEMORY,
  compile_failed = FLASHCORE_COMPILE_FAILED,
  device_failed = FLASHCORE_DEVICE_FAILED,
  io = FLASHCORE_IO,
  internal = FLASHCORE_INTERNAL,
};

constexpr std::string_view name(Status status) {
  switch (status) {
    case Status::ok: return "ok";
    case Status::invalid_argument: return "invalid argument";
    case Status::unsupported: return "unsupported";
    case Status::no_device: return "no device";
    case Status::out_of_memory: return "out of memory";
    case Status::compile_failed: return "compile failed";
    case Status::device_failed: return "device failed";
    case Status::io: return "input or output failed";
    case Status::internal: return "internal error";
  }
  return "unknown status";
}

inline std::optional<Status> status_from_name(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(Status::internal); ++i)
    if (text == name(static_cast<Status>(i))) return static_cast<Status>(i);
  return std::nullopt;
}

}  // namespace flashcore::core
