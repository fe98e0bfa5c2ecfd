// What the runtime costs a caller: compiling a kernel, finding it in the cache, and a warm call.
//
// On a machine without a GPU (or a compiler) the benchmarks that need one say so and are skipped.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <flashcore/flashcore.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <vector>

#include "core/host_tensor.h"
#include "cuda/driver.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/replay.h"
#include "cuda/stream.h"
#include "family/family.h"
#include "jit/binary_store.h"
#include "jit/compiler.h"

namespace flashcore {
namespace {

constexpr core::Arch sm_90a{9, 0, true};

/// The scalar kernel of the mission shape.
jit::KernelSpec scalar_kernel() {
  const auto problem = core::contiguous_problem(core::Dtype::float16, 1, 8, 8, 512, 512, 64);
  const auto* family = family::find_family("forward_scalar");
  return family->kernels(family->default_config(problem, core::limits_of(sm_90a)))[0];
}

void CompileScalarKernel(benchmark::State& state) {
  if (!jit::compiler_available()) {
    state.SkipWithError(jit::compiler_unavailable_reason().c_str());
    return;
  }
  for (auto _ : state) benchmark::DoNotOptimize(jit::compile(scalar_kernel(), sm_90a));
}
BENCHMARK(CompileScalarKernel)->Unit(benchmark::kMillisecond)->Iterations(5);

/// A process that has never seen the kernel, but whose cache has it.
void FindScalarKernelInCache(benchmark::State& state) {
  if (!jit::compiler_available()) {
    state.SkipWithError(jit::compiler_unavailable_reason().c_str());
    return;
  }
  std::string name = (std::filesystem::temp_directory_path() / "flashcore-bench-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    state.SkipWithError("no temporary directory");
    return;
  }
  jit::Cache cache(name);
  const jit::KernelSpec spec = scalar_kernel();
  jit::BinaryStore(jit::nvrtc_source(), cache, {}).find(spec, sm_90a);
  for (auto _ : state) {
    jit::BinaryStore store(jit::nvrtc_source(), cache, {});
    if (store.find(spec, sm_90a).origin != jit::Origin::cache)
      state.SkipWithError("the kernel did not come from the cache");
  }
  std::filesystem::remove_all(name);
}
BENCHMARK(FindScalarKernelInCache)->Unit(benchmark::kMillisecond);

/// Says so where there is none.
bool has_gpu(benchmark::State& state) {
  if (cuda::device_count() > 0) return true;
  state.SkipWithError(("no GPU: " + cuda::driver_unavailable_reason()).c_str());
  return false;
}

/// The mission shape in device memory.
class DeviceCall {
 public:
  DeviceCall() : bytes_(8 * 512 * 64 * 2), memory_(4 * bytes_) {
    cuda::fill(memory_.data(), 0, memory_.bytes());
  }
  [[nodiscard]] Attention attention() const {
    const auto tensor = [&](std::size_t index) {
      return bhsd(static_cast<std::byte*>(memory_.data()) + index * bytes_, Dtype::float16, 1, 8,
                  512, 64);
    };
    return {.q = tensor(0), .k = tensor(1), .v = tensor(2), .o = tensor(3)};
  }

 private:
  std::size_t bytes_;
  cuda::Buffer memory_;
};

/// The time until a call has returned to its caller, over and over; the GPU's own time is not in
/// it. The queue is kept short, because a full one makes a launch wait. Reports the median, which a
/// scheduler's interruptions do not move.
template <typename Call>
void time_returns(benchmark::State& state, const Call& call) {
  if (!has_gpu(state)) return;
  const cuda::DeviceGuard guard(0);
  const cuda::Stream stream;
  const DeviceCall tensors;
  const Attention attention = tensors.attention();
  const Execution execution{.device = Device::cuda, .stream = stream.handle()};
  attention_forward(attention, execution);
  stream.synchronize();
  std::vector<double> seconds;
  for (auto _ : state) {
    const auto start = std::chrono::steady_clock::now();
    call(attention, execution);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    state.SetIterationTime(elapsed.count());
    seconds.push_back(elapsed.count());
    if (seconds.size() % 16 == 0) stream.synchronize();
  }
  stream.synchronize();
  std::sort(seconds.begin(), seconds.end());
  state.counters["median_us"] = 1e6 * seconds[seconds.size() / 2];
}

void WarmCallReturns(benchmark::State& state) {
  time_returns(state, [](const Attention& attention, const Execution& execution) {
    attention_forward(attention, execution);
  });
}
BENCHMARK(WarmCallReturns)->Unit(benchmark::kMicrosecond)->UseManualTime()->Iterations(4000);

/// The part of it that checks the arguments and finds the plan.
void PlanIsFound(benchmark::State& state) {
  time_returns(state, [](const Attention& attention, const Execution& execution) {
    benchmark::DoNotOptimize(workspace_size(attention, execution));
  });
}
BENCHMARK(PlanIsFound)->Unit(benchmark::kMicrosecond)->UseManualTime()->Iterations(4000);

/// The part of it that asks the driver about the four tensors' addresses.
void AddressesAreChecked(benchmark::State& state) {
  time_returns(state, [](const Attention& attention, const Execution&) {
    cuda::KnownMemory known;
    for (const Tensor& tensor : {attention.q, attention.k, attention.v, attention.o})
      benchmark::DoNotOptimize(known.holds(tensor.data));
  });
}
BENCHMARK(AddressesAreChecked)->Unit(benchmark::kMicrosecond)->UseManualTime()->Iterations(4000);

/// The Hopper kernel of the mission shape, ready to be launched; tells the state where it does not
/// run.
class ReadyKernel {
 public:
  explicit ReadyKernel(benchmark::State& state) {
    if (!has_gpu(state)) return;
    const core::GpuLimits& gpu = cuda::device_info(0).limits;
    const auto problem = core::contiguous_problem(core::Dtype::float16, 1, 8, 8, 512, 512, 64);
    const auto* family = family::find_family("forward_tma_wgmma");
    if (const auto support = family->supports(problem, gpu); !support) {
      state.SkipWithError(support.reason().c_str());
      return;
    }
    const auto config = family->default_config(problem, gpu);
    prepared_ = family->prepare(problem, config, gpu);
    kernels_ = {
        jit::load_kernel(family->kernels(config)[0], 0, prepared_->shapes()[0].shared_bytes)};
  }
  void launch(const Attention& attention, cuda::StreamHandle stream) const {
    if (prepared_ == nullptr) return;
    prepared_->launch(kernels_,
                      {.q = attention.q.data,
                       .k = attention.k.data,
                       .v = attention.v.data,
                       .o = attention.o.data},
                      stream);
  }
  [[nodiscard]] const cuda::Kernel* kernel() const {
    return kernels_.empty() ? nullptr : kernels_.data();
  }

 private:
  std::unique_ptr<family::PreparedLaunch> prepared_;
  std::vector<cuda::Kernel> kernels_;
};

/// The part of it that describes the tensors to the copy engine and hands the kernel to the driver.
void KernelIsLaunched(benchmark::State& state) {
  const ReadyKernel ready(state);
  if (ready.kernel() == nullptr) return;
  time_returns(state, [&](const Attention& attention, const Execution& execution) {
    ready.launch(attention, execution.stream);
  });
}
BENCHMARK(KernelIsLaunched)->Unit(benchmark::kMicrosecond)->UseManualTime()->Iterations(4000);

/// The part of that which describes three tensors.
void TensorMapsAreMade(benchmark::State& state) {
  const ReadyKernel ready(state);
  if (ready.kernel() == nullptr) return;
  const cuda::TensorBox box{
      .dims = {64, 512, 8, 1}, .strides_bytes = {128, 65536, 524288}, .box = {64, 64, 1, 1}};
  time_returns(state, [&](const Attention& attention, const Execution&) {
    for (const Tensor& tensor : {attention.q, attention.k, attention.v})
      benchmark::DoNotOptimize(ready.kernel()->tensor_map(box, tensor.data));
  });
}
BENCHMARK(TensorMapsAreMade)->Unit(benchmark::kMicrosecond)->UseManualTime()->Iterations(4000);

/// From the call to its completion.
void CallCompletes(benchmark::State& state) {
  time_returns(state, [](const Attention& attention, const Execution& execution) {
    attention_forward(attention, execution);
    cuda::synchronize_device();
  });
}
BENCHMARK(CallCompletes)->Unit(benchmark::kMicrosecond)->UseManualTime()->Iterations(4000);

/// A kernel that does nothing, of the mission shape's launch, as the driver launches it and as
/// calls do: the least that any call takes.
class EmptyKernel {
 public:
  EmptyKernel(std::int64_t argument_bytes, unsigned shared_bytes)
      : shape_{.grid = 128, .block = 256, .shared_bytes = shared_bytes},
        arguments_(static_cast<std::size_t>(argument_bytes)) {
    const std::string ptx = fmt::format(
        ".version 7.0\n.target sm_80\n.address_size 64\n"
        ".visible .entry empty(.param .align 64 .b8 arguments[{}]) {{ ret; }}\n",
        argument_bytes);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(ptx.c_str());
    kernel_ = cuda::load_module({bytes, ptx.size() + 1}, "empty", 0);
    cuda::allow_shared_bytes(kernel_, shared_bytes, 0);
    replayed_.emplace(kernel_, 0);
  }
  void launch(cuda::StreamHandle stream) const {
    cuda::launch_on_gpu(kernel_.function(), shape_, stream, arguments_.data(), arguments_.size());
  }
  void replay(cuda::StreamHandle stream) const {
    replayed_->kernel().launch(shape_, stream, arguments_.data(), arguments_.size());
  }
  /// The next launch has another argument than the last.
  void change_argument() { arguments_[0] ^= std::byte{1}; }

 private:
  cuda::LaunchShape shape_;
  std::vector<std::byte> arguments_;
  cuda::Kernel kernel_;
  std::optional<cuda::ReplayedKernel> replayed_;
};

enum class Way { launched, replayed, replayed_anew };  // anew: with another argument each time

/// Arguments: bytes of the kernel's argument, KiB of shared memory per block.
template <bool Completes, Way way = Way::launched>
void EmptyKernelTakes(benchmark::State& state) {
  if (!has_gpu(state)) return;
  const cuda::DeviceGuard guard(0);
  EmptyKernel empty(state.range(0), static_cast<unsigned>(state.range(1)) * 1024);
  time_returns(state, [&](const Attention&, const Execution& execution) {
    if (way == Way::replayed_anew) empty.change_argument();
    if (way == Way::launched)
      empty.launch(execution.stream);
    else
      empty.replay(execution.stream);
    if (Completes) cuda::synchronize_device();
  });
}
void EmptyKernelReturns(benchmark::State& state) {
  EmptyKernelTakes<false>(state);
}
void EmptyKernelCompletes(benchmark::State& state) {
  EmptyKernelTakes<true>(state);
}
constexpr auto launches = [](auto* benchmark) {
  benchmark->ArgsProduct({{64, 576, 1024}, {0, 96}})
      ->Unit(benchmark::kMicrosecond)
      ->UseManualTime()
      ->Iterations(4000);
};
BENCHMARK(EmptyKernelReturns)->Apply(launches);
BENCHMARK(EmptyKernelCompletes)->Apply(launches);
BENCHMARK(EmptyKernelTakes<false, Way::replayed>)->Apply(launches);
BENCHMARK(EmptyKernelTakes<true, Way::replayed>)->Apply(launches);
BENCHMARK(EmptyKernelTakes<false, Way::replayed_anew>)->Apply(launches);
BENCHMARK(EmptyKernelTakes<true, Way::replayed_anew>)->Apply(launches);

}  // namespace
}  // namespace flashcore

BENCHMARK_MAIN();
