// A GPU: graphs of many launches between two events, and a call from the host to its completion.
#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "bench/stopwatch_backends.h"
#include "cuda/driver.h"
#include "cuda/memory.h"
#include "cuda/stream.h"
#include "gate/statistics.h"

namespace flashcore::bench {

using core::Arguments;
using core::HostCall;

namespace {

constexpr std::int64_t most_launches = 50;  // the graph's own start is spread over them
constexpr int eager_calls = 5;              // per round, after one that is not timed
constexpr double long_call_us = 1e3;        // whose completion one call measures well enough

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

/// Buffer sets side by side in one allocation.
class DeviceSets {
 public:
  DeviceSets(const HostCall& shape, std::int64_t count)
      : q_bytes_(aligned(shape.q.bytes())),
        kv_bytes_(aligned(shape.k.bytes())),
        lse_bytes_(aligned(shape.lse.size() * sizeof(float))),
        set_bytes_(q_bytes_ + 2 * kv_bytes_ + aligned(shape.o.bytes()) + lse_bytes_),
        arena_(set_bytes_ * static_cast<std::size_t>(count)) {}

  [[nodiscard]] Arguments arguments(std::int64_t set) const {
    std::byte* base =
        static_cast<std::byte*>(arena_.data()) + set_bytes_ * static_cast<std::size_t>(set);
    std::byte* lse = base + q_bytes_ + 2 * kv_bytes_;
    return {.q = base,
            .k = base + q_bytes_,
            .v = base + q_bytes_ + kv_bytes_,
            .o = lse + lse_bytes_,
            .lse = reinterpret_cast<float*>(lse)};
  }

  void upload(std::int64_t set, const HostCall& call) const {
    const Arguments a = arguments(set);
    cuda::copy_to_device(const_cast<void*>(a.q), call.q.data(), call.q.bytes());
    cuda::copy_to_device(const_cast<void*>(a.k), call.k.data(), call.k.bytes());
    cuda::copy_to_device(const_cast<void*>(a.v), call.v.data(), call.v.bytes());
    cuda::copy_to_device(a.o, call.o.data(), call.o.bytes());
    cuda::copy_to_device(a.lse, call.lse.data(), call.lse.size() * sizeof(float));
  }

  void poison_outputs(std::int64_t set, const HostCall& call) const {
    const Arguments a = arguments(set);
    cuda::fill(a.o, 0xFF, call.o.bytes());
    cuda::fill(a.lse, 0xFF, call.lse.size() * sizeof(float));
  }

  void download_outputs(std::int64_t set, HostCall& call) const {
    const Arguments a = arguments(set);
    cuda::copy_to_host(call.o.data(), a.o, call.o.bytes());
    cuda::copy_to_host(call.lse.data(), a.lse, call.lse.size() * sizeof(float));
  }

 private:
  std::size_t q_bytes_, kv_bytes_, lse_bytes_, set_bytes_;
  cuda::Buffer arena_;
};

class GpuStopwatch final : public Stopwatch {
 public:
  GpuStopwatch(const gate::Target& target, std::uint64_t seed)
      : target_(target),
        seed_(seed),
        guard_(target.device().ordinal),
        calls_(distinct_calls(target.problem(), seed)),
        workspace_(target.workspace_bytes()) {
    const auto& device = cuda::device_info(target.device().ordinal);
    auto probe = std::make_unique<DeviceSets>(calls_->front(), 1);
    probe->upload(0, calls_->front());
    const double call_us = probe_call_us(*probe);
    eager_calls_ = call_us > long_call_us ? 1 : eager_calls;
    rotation_ =
        plan_rotation(target.problem().bytes(), 2 * static_cast<std::int64_t>(device.l2_bytes),
                      call_us, most_launches);
    if (rotation_.sets == 1) {
      sets_ = std::move(probe);
      sets_->poison_outputs(0, calls_->front());  // as nobody had written them
    } else {
      probe.reset();
      sets_ = std::make_unique<DeviceSets>(calls_->front(), rotation_.sets);
      for (std::int64_t set = 0; set < rotation_.sets; ++set) sets_->upload(set, call_of(set));
    }
    cold_ =
        capture([&](std::int64_t launch) { return launch % rotation_.sets; }, rotation_.launches);
    if (rotation_.sets == 1) return;  // one set is larger than L2: the warm graph would be the cold
    warm_launches_ = std::min(rotation_.launches, most_launches);
    warm_ = capture([](std::int64_t) { return std::int64_t{0}; }, warm_launches_);
  }

  [[nodiscard]] Rotation rotation() const override { return rotation_; }

  Round measure() override {
    Round round;
    round.cold_us = time_graph(*cold_) / static_cast<double>(rotation_.launches);
    round.warm_us =
        warm_ == nullptr ? round.cold_us : time_graph(*warm_) / static_cast<double>(warm_launches_);
    time_eager();
    std::vector<double> times;
    for (int i = 0; i < eager_calls_; ++i) times.push_back(time_eager());
    round.eager_us = gate::median(times);
    return round;
  }

  std::string check_outputs() override {
    for (const std::int64_t set : checked_sets(rotation_)) {
      HostCall call = call_of(set);
      sets_->download_outputs(set, call);
      std::string why = objection_to(call, set, seed_);
      if (!why.empty()) return why;
    }
    return "";
  }

 private:
  [[nodiscard]] const HostCall& call_of(std::int64_t set) const {
    return (*calls_)[static_cast<std::size_t>(set) % calls_->size()];
  }

  void run(const DeviceSets& sets, std::int64_t set, cuda::StreamHandle stream) const {
    Arguments arguments = sets.arguments(set);
    arguments.scale = calls_->front().scale;
    arguments.workspace = workspace_.data();
    arguments.workspace_bytes = workspace_.bytes();
    target_.launch(arguments, stream);
  }

  /// One call's device time, roughly: what the number of launches is planned by.
  double probe_call_us(const DeviceSets& probe) {
    const cuda::Event start, stop;
    run(probe, 0, stream_.handle());
    start.record(stream_.handle());
    run(probe, 0, stream_.handle());
    stop.record(stream_.handle());
    stop.synchronize();
    return cuda::Event::elapsed_us(start, stop);
  }

  template <typename SetOf>
  std::unique_ptr<cuda::Graph> capture(const SetOf& set_of, std::int64_t launches) const {
    return std::make_unique<cuda::Graph>([&](cuda::StreamHandle stream) {
      for (std::int64_t launch = 0; launch < launches; ++launch)
        run(*sets_, set_of(launch), stream);
    });
  }

  /// Of the second of two launches: the first brings the clocks up and, on one set, the caches.
  double time_graph(const cuda::Graph& graph) const {
    graph.launch(stream_.handle());
    start_.record(stream_.handle());
    graph.launch(stream_.handle());
    stop_.record(stream_.handle());
    stop_.synchronize();
    return cuda::Event::elapsed_us(start_, stop_);
  }

  double time_eager() const {
    const auto start = std::chrono::steady_clock::now();
    run(*sets_, 0, stream_.handle());
    stream_.synchronize();
    const std::chrono::duration<double, std::micro> elapsed =
        std::chrono::steady_clock::now() - start;
    return elapsed.count();
  }

  const gate::Target& target_;
  std::uint64_t seed_;
  cuda::DeviceGuard guard_;  // outlives everything below that lives on the device
  DistinctCalls calls_;
  cuda::Buffer workspace_;
  cuda::Stream stream_;
  cuda::Event start_, stop_;
  std::unique_ptr<DeviceSets> sets_;
  Rotation rotation_;
  std::int64_t warm_launches_ = 1;
  int eager_calls_ = eager_calls;
  std::unique_ptr<cuda::Graph> cold_, warm_;
};

}  // namespace

std::unique_ptr<Stopwatch> make_gpu_stopwatch(const gate::Target& target, std::uint64_t seed) {
  return std::make_unique<GpuStopwatch>(target, seed);
}

}  // namespace flashcore::bench
