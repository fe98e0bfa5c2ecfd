#include "cli/attention_call.h"

#include <chrono>

#include "core/error.h"
#include "cuda/driver.h"
#include "cuda/memory.h"
#include "cuda/stream.h"
#include "dispatch/dispatch.h"

namespace flashcore::cli {

namespace {

using core::Status;

constexpr Execution on_cpu{};
constexpr Execution on_gpu{.device = Device::cuda};

Tensor describe(const char* name, const io::Array& array, Layout layout) {
  const io::Shape& shape = array.shape;
  const std::size_t rank = shape.size();
  if (rank < 2 || rank > 4)
    core::fail(Status::invalid_argument, "{}: shape {} has rank {}; 2, 3 or 4 is needed", name,
               io::to_string(shape), rank);
  const bool heads_first = layout == Layout::bhsd;
  const std::int64_t batch = rank == 4 ? shape[0] : 1;
  const std::int64_t heads = rank == 2 ? 1 : shape[rank - (heads_first ? 3 : 2)];
  const std::int64_t seq = shape[rank - (heads_first || rank == 2 ? 2 : 3)];
  const auto dtype = static_cast<Dtype>(array.tensor.dtype());
  return (heads_first ? bhsd : bshd)(nullptr, dtype, batch, heads, seq, shape.back());
}

core::Strides strides_of(const Tensor& t) {
  return {t.stride_batch, t.stride_head, t.stride_seq};
}

core::Problem problem_of(const Attention& a) {
  return {
      .dtype = static_cast<core::Dtype>(a.q.dtype),
      .batch = a.q.batch,
      .heads_q = a.q.heads,
      .heads_kv = a.k.heads,
      .seq_q = a.q.seq,
      .seq_kv = a.k.seq,
      .head_dim = a.q.head_dim,
      .mask = {static_cast<core::MaskKind>(a.mask.kind), a.mask.window_left, a.mask.window_right},
      .q_strides = strides_of(a.q),
      .k_strides = strides_of(a.k),
      .v_strides = strides_of(a.v),
      .o_strides = strides_of(a.o),
      .lse_strides = {a.q.heads * a.q.seq, a.q.seq, 1}};
}

/// Microseconds that `work` takes.
template <typename Work>
double time_us(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
      .count();
}

Served serve_on_cpu(AttentionCall& call, std::string why_there) {
  Served served{
      .choice = choose(call.attention, on_cpu), .device = "CPU", .why_there = std::move(why_there)};
  // A tensor's memory is aligned as a workspace must be.
  const std::size_t bytes = workspace_size(call.attention, on_cpu);
  core::HostTensor workspace(core::Dtype::float32, static_cast<std::int64_t>(bytes / 4 + 1));
  Execution execution = on_cpu;
  execution.workspace = {workspace.data(), bytes};
  served.first_call_us = time_us([&] { attention_forward(call.attention, execution); });
  return served;
}

cuda::Buffer device_copy(const core::HostTensor& tensor) {
  if (tensor.bytes() == 0) return {};  // no keys: the API takes a null pointer
  cuda::Buffer buffer(tensor.bytes());
  cuda::copy_to_device(buffer.data(), tensor.data(), tensor.bytes());
  return buffer;
}

Served serve_on_gpu(AttentionCall& call, std::string why_there) {
  Served served{.choice = choose(call.attention, on_gpu),
                .device = cuda::device_info(0).name,
                .why_there = std::move(why_there)};
  const cuda::DeviceGuard guard(0);
  core::HostCall& host = call.host;
  const cuda::Buffer q = device_copy(host.q), k = device_copy(host.k), v = device_copy(host.v);
  const cuda::Buffer o = device_copy(host.o);
  const cuda::Buffer lse(host.lse.size() * sizeof(float));
  Attention attention = call.attention;
  attention.q.data = q.data();
  attention.k.data = k.data();
  attention.v.data = v.data();
  attention.o.data = o.data();
  attention.lse.data = static_cast<float*>(lse.data());

  const cuda::Stream stream;
  Execution execution = on_gpu;
  execution.stream = stream.handle();
  cuda::Buffer workspace;
  const auto run = [&] {
    attention_forward(attention, execution);
    stream.synchronize();
  };
  served.first_call_us = time_us([&] {
    const std::size_t bytes = workspace_size(attention, execution);
    if (bytes > 0) workspace = cuda::Buffer(bytes);
    execution.workspace = {static_cast<std::byte*>(workspace.data()), bytes};
    run();
  });
  served.repeat_call_us = time_us(run);
  cuda::copy_to_host(host.o.data(), o.data(), host.o.bytes());
  cuda::copy_to_host(host.lse.data(), lse.data(), lse.bytes());
  return served;
}

/// On the path of the tools: the public API has no emulator.
Served serve_on_emulator(AttentionCall& call) {
  constexpr dispatch::Device emulator{.backend = dispatch::Backend::emulator};
  const dispatch::Plan plan(call.host.problem, emulator, {});
  const dispatch::Choice& choice = plan.choice();
  Served served{
      .choice = {dispatch::name(choice.backend), choice.family, choice.config, choice.reason},
      .device = fmt::format("emulator of {}", emulator.arch.to_string()),
      .why_there = "asked for"};
  const std::size_t bytes = plan.workspace_bytes();
  core::HostTensor workspace(core::Dtype::float32, static_cast<std::int64_t>(bytes / 4 + 1));
  core::Arguments arguments = call.host.arguments();
  arguments.workspace = workspace.data();
  arguments.workspace_bytes = bytes;
  served.first_call_us = time_us([&] { plan.run(arguments, nullptr); });
  return served;
}

/// Why the first GPU does not serve the call; empty when it does, its kernel compiled and loaded.
std::string why_not_gpu(const Attention& attention) {
  std::int32_t devices = 0;
  detail::check(flashcore_cuda_device_count(&devices));
  if (devices == 0) return fmt::format("no GPU: {}", flashcore_last_error());
  try {
    (void)workspace_size(attention, on_gpu);
    return {};
  } catch (const Error& error) {
    const auto status = error.status();
    if (status != FLASHCORE_UNSUPPORTED && status != FLASHCORE_NO_DEVICE &&
        status != FLASHCORE_COMPILE_FAILED)
      throw;
    return fmt::format("not on the GPU: {}", error.what());
  }
}

}  // namespace

AttentionCall make_call(Inputs inputs, Layout layout, const Mask& mask,
                        std::optional<float> scale) {
  AttentionCall call;
  call.output_shape = inputs.q.shape;
  Attention& attention = call.attention;
  attention = {.q = describe("q", inputs.q, layout),
               .k = describe("k", inputs.k, layout),
               .v = describe("v", inputs.v, layout),
               .mask = mask,
               .scale = scale};
  attention.o = attention.q;
  for (const auto& [name, array] : {std::pair{"k", &inputs.k}, {"v", &inputs.v}})
    if (array->shape.size() != inputs.q.shape.size())
      core::fail(Status::invalid_argument, "{}: shape {} differs in rank from q: shape {}", name,
                 io::to_string(array->shape), io::to_string(inputs.q.shape));
  (void)choose(attention, on_cpu);  // the API's own checks, before anything is allocated

  const Tensor& q = attention.q;
  call.lse_shape = {q.batch, q.heads, q.seq};
  call.lse_shape.erase(
      call.lse_shape.begin(),
      call.lse_shape.end() - static_cast<std::ptrdiff_t>(call.output_shape.size() - 1));
  call.host = {.problem = problem_of(attention),
               .scale = scale.value_or(core::default_scale(q.head_dim)),
               .q = std::move(inputs.q.tensor),
               .k = std::move(inputs.k.tensor),
               .v = std::move(inputs.v.tensor)};
  call.host.o = core::HostTensor(call.host.q.dtype(), call.host.q.elements());
  call.host.lse.resize(static_cast<std::size_t>(q.batch * q.heads * q.seq));
  call.host.poison_outputs();
  attention.q.data = call.host.q.data();
  attention.k.data = call.host.k.data();
  attention.v.data = call.host.v.data();
  attention.o.data = call.host.o.data();
  attention.lse.data = call.host.lse.data();
  return call;
}

Served serve(AttentionCall& call, DeviceWish wish) {
  if (wish == DeviceWish::cpu) return serve_on_cpu(call, "asked for");
  if (wish == DeviceWish::emulator) return serve_on_emulator(call);
  if (wish == DeviceWish::gpu) {
    if (call.host.problem.dtype == core::Dtype::float32)
      core::fail(Status::unsupported,
                 "--device gpu: q has dtype fp32, which only the CPU serves; "
                 "the GPU takes fp16 and bf16");
    return serve_on_gpu(call, "asked for");
  }
  std::string obstacle = why_not_gpu(call.attention);
  if (obstacle.empty()) return serve_on_gpu(call, "a GPU is here and serves the call");
  return serve_on_cpu(call, std::move(obstacle));
}

}  // namespace flashcore::cli
