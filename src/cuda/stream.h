// Streams, events and graphs: what timing and the tools need. A DeviceGuard for the device must be
// alive around every call here.
#pragma once

#include <functional>

#include "cuda/kernel.h"

namespace flashcore::cuda {

class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  [[nodiscard]] StreamHandle handle() const { return handle_; }
  /// Throws device_failed with the driver's message when earlier work failed.
  void synchronize() const;

 private:
  StreamHandle handle_ = nullptr;
};

class Event {
 public:
  Event();
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(StreamHandle stream) const;
  void synchronize() const;
  /// Microseconds between two recorded events that have completed.
  [[nodiscard]] static double elapsed_us(const Event& start, const Event& stop);

 private:
  void* handle_ = nullptr;
};

/// Work captured once and replayed.
class Graph {
 public:
  /// Captures what `record` queues on the stream it is given.
  explicit Graph(const std::function<void(StreamHandle)>& record);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void launch(StreamHandle stream) const;
  /// Of a graph of one kernel: launches from now on have this shape (whose overlap does not count)
  /// and argument. Needs a driver for CUDA 12.0 or later. Throws what a launch throws.
  void set_kernel(const Kernel& kernel, const LaunchShape& shape, const void* params);

 private:
  void* graph_ = nullptr;
  void* executable_ = nullptr;
  void* kernel_node_ = nullptr;  // once set_kernel has looked for it
};

/// Waits for all work of the current device.
void synchronize_device();

}  // namespace flashcore::cuda
