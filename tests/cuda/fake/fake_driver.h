// What the fake driver remembers of the calls it got, and how it can be told to fail.
#pragma once

#include <string>
#include <vector>

#include "cuda/driver_api.h"

namespace flashcore::cuda {

/// The arguments of cuTensorMapEncodeTiled.
struct EncodedMap {
  int data_type = -1;
  std::uint32_t rank = 0;
  const void* base = nullptr;
  std::vector<std::uint64_t> dims, strides_bytes;
  std::vector<std::uint32_t> box, element_strides;
  int interleave = -1, swizzle = -1, promotion = -1, fill = -1;
};

struct FakeDriver {
  // Set by a test:
  std::string failing_call;  // the call that returns `failure`
  api::Result failure = 0;
  api::Stream captured_stream = reinterpret_cast<api::Stream>(1);  // none

  // Told to a test:
  std::vector<std::string> calls;      // those that change something, in order
  std::vector<api::Context> contexts;  // the calling thread's stack, the current one last
  api::LaunchConfig launch{};          // the last one
  std::vector<api::LaunchAttribute> launch_attributes;
  int launched_value = 0;  // the int that its params, or those last put into a graph, began with
  api::KernelNodeParams node{};  // what was last put into a graph
  api::CaptureMode thread_mode = api::capture_thread_local;
  int shared_limit = 0;
  int capture_mode = -1;
  EncodedMap encoded{};
  int allocations = 0;  // alive
};

/// The library's only one.
extern "C" FakeDriver* fake_driver();

}  // namespace flashcore::cuda
