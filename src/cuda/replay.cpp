#include "cuda/replay.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <vector>

#include "core/error.h"
#include "cuda/driver.h"
#include "cuda/driver_api.h"
#include "cuda/stream.h"

namespace flashcore::cuda {
namespace {

/// Stands for no stream, since null is one.
StreamHandle no_stream() {
  static char nowhere;
  return &nowhere;
}

/// CU_STREAM_PER_THREAD, which is another stream in each thread.
bool is_per_thread(StreamHandle stream) {
  return reinterpret_cast<std::uintptr_t>(stream) == 2;
}

bool is_captured(StreamHandle stream) {
  api::CaptureStatus status = api::capture_none;
  // What fails here fails the launch as well, which says why.
  return api::driver().cuStreamIsCapturing(static_cast<api::Stream>(stream), &status) !=
             api::success ||
         status != api::capture_none;
}

/// While it lives, this thread may allocate although others capture streams.
class BesideCaptures {
 public:
  BesideCaptures() { exchange(); }
  ~BesideCaptures() { exchange(); }
  BesideCaptures(const BesideCaptures&) = delete;
  BesideCaptures& operator=(const BesideCaptures&) = delete;

 private:
  void exchange() { api::driver().cuThreadExchangeStreamCaptureMode(&mode_); }
  api::CaptureMode mode_ = api::capture_relaxed;
};

}  // namespace

/// A graph of one launch, for one stream.
class ReplayedKernel::Replay {
 public:
  Replay(const Kernel& kernel, const LaunchShape& shape, const void* params,
         std::size_t params_bytes)
      : kernel_(kernel),
        graph_([&](StreamHandle stream) {
          launch_on_gpu(kernel.function(), shape, stream, params, params_bytes);
        }),
        shape_(shape),
        params_(static_cast<const std::byte*>(params),
                static_cast<const std::byte*>(params) + params_bytes) {}

  void launch(const LaunchShape& shape, StreamHandle stream, const void* params) {
    const std::scoped_lock lock(mutex_);
    // Many callers pass the same buffers again.
    if (shape != shape_ || std::memcmp(params, params_.data(), params_.size()) != 0) {
      shape_ = {.grid = 0};  // unless all goes well
      graph_.set_kernel(kernel_, shape, params);
      std::memcpy(params_.data(), params, params_.size());
      shape_ = shape;
    }
    graph_.launch(stream);
  }

 private:
  std::mutex mutex_;
  Kernel kernel_;
  Graph graph_;
  LaunchShape shape_;              // what the graph launches,
  std::vector<std::byte> params_;  // and with what
};

class ReplayedKernel::Replays {
 public:
  explicit Replays(const Kernel& kernel) : kernel_(kernel) {}

  /// As a Launcher.
  static void launch(void* replays, const LaunchShape& shape, StreamHandle stream,
                     const void* params, std::size_t params_bytes) {
    static_cast<Replays*>(replays)->launch(shape, stream, params, params_bytes);
  }

 private:
  /// A stream and its graph, which is there before its stream is known.
  struct Place {
    std::atomic<StreamHandle> stream = no_stream();
    std::unique_ptr<Replay> replay;
  };

  void launch(const LaunchShape& shape, StreamHandle stream, const void* params,
              std::size_t params_bytes) {
    if (!shape.overlap && !is_per_thread(stream) && can_replace_ && !is_captured(stream)) {
      Replay* replay = of(stream);
      if (replay == nullptr) replay = make(shape, stream, params, params_bytes);
      if (replay != nullptr) return replay->launch(shape, stream, params);
    }
    launch_on_gpu(kernel_.function(), shape, stream, params, params_bytes);
  }

  /// Null where the stream has none.
  [[nodiscard]] Replay* of(StreamHandle stream) const {
    for (const Place& place : places_)
      if (place.stream.load(std::memory_order_acquire) == stream) return place.replay.get();
    return nullptr;
  }

  /// Null where there is no place left.
  Replay* make(const LaunchShape& shape, StreamHandle stream, const void* params,
               std::size_t params_bytes) {
    const std::scoped_lock lock(mutex_);
    if (Replay* replay = of(stream); replay != nullptr) return replay;  // another thread's
    for (Place& place : places_) {
      if (place.replay != nullptr) continue;
      const BesideCaptures beside;
      place.replay = std::make_unique<Replay>(kernel_, shape, params, params_bytes);
      place.stream.store(stream, std::memory_order_release);
      return place.replay.get();
    }
    return nullptr;
  }

  Kernel kernel_;
  const bool can_replace_ = api::driver().cuGraphExecKernelNodeSetParams_v2 != nullptr;
  std::mutex mutex_;  // of who makes
  std::array<Place, most_streams> places_;
};

ReplayedKernel::ReplayedKernel(const Kernel& kernel, int device_ordinal)
    : device_ordinal_(device_ordinal), replays_(std::make_unique<Replays>(kernel)) {}

ReplayedKernel::~ReplayedKernel() {
  try {
    const DeviceGuard guard(device_ordinal_);
    replays_.reset();
  } catch (const core::Error&) {
    // A context that a kernel has broken keeps its graphs: they end with the process.
    [[maybe_unused]] const Replays* left = replays_.release();
  }
}

Kernel ReplayedKernel::kernel() const {
  return Kernel(replays_.get(), Replays::launch);
}

}  // namespace flashcore::cuda
