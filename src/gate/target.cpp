#include "gate/target.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "core/error.h"
#include "cuda/driver.h"
#include "cuda/stream.h"
#include "emulate/call.h"
#include "gate/guarded_buffer.h"

namespace flashcore::gate {

using core::HostCall;
using core::Problem;
using dispatch::Backend;

namespace {

std::size_t count_different(const std::byte* a, const std::byte* b, std::size_t bytes) {
  if (bytes == 0 || std::memcmp(a, b, bytes) == 0) return 0;
  std::size_t different = 0;
  for (std::size_t i = 0; i < bytes; ++i) different += a[i] != b[i] ? 1 : 0;
  return different;
}

}  // namespace

/// A call's tensors and its workspace. They are kept for the next call: at 4096 queries of 64 heads
/// allocating them takes longer than everything else.
struct Target::Buffers {
  Buffers(const HostCall& call, Backend backend, std::size_t workspace_bytes)
      : q(backend, call.q.bytes()),
        k(backend, call.k.bytes()),
        v(backend, call.v.bytes()),
        o(backend, call.o.bytes()),
        lse(backend, call.lse.size() * sizeof(float)),
        workspace(backend, workspace_bytes) {}

  [[nodiscard]] bool fit(const HostCall& call) const {
    return q.bytes() == call.q.bytes() && k.bytes() == call.k.bytes() &&
           v.bytes() == call.v.bytes() && o.bytes() == call.o.bytes() &&
           lse.bytes() == call.lse.size() * sizeof(float);
  }

  core::Arguments arguments(float scale) {
    return {.q = q.data(),
            .k = k.data(),
            .v = v.data(),
            .o = o.data(),
            .lse = static_cast<float*>(lse.data()),
            .scale = scale,
            .workspace = workspace.data(),
            .workspace_bytes = workspace.bytes()};
  }

  void fill_inputs(const HostCall& call) {
    q.fill(call.q.data());
    k.fill(call.k.data());
    v.fill(call.v.data());
  }

  GuardedBuffer q, k, v, o, lse, workspace;
};

namespace {

/// Bytes of o outside its rows that differ between what went in and what came back.
std::size_t padding_changed(const Problem& p, const core::HostTensor& before,
                            const std::byte* after) {
  const auto dense = p.batch * p.heads_q * p.seq_q * p.head_dim;
  if (dense == before.elements()) return 0;
  const std::size_t size = core::size_of(p.dtype);
  std::vector<bool> in_row(before.bytes(), false);
  for (std::int64_t b = 0; b < p.batch; ++b)
    for (std::int64_t h = 0; h < p.heads_q; ++h)
      for (std::int64_t s = 0; s < p.seq_q; ++s) {
        const auto first = static_cast<std::size_t>(b * p.o_strides.batch + h * p.o_strides.head +
                                                    s * p.o_strides.seq) *
                           size;
        const auto row_bytes = static_cast<std::size_t>(p.head_dim) * size;
        for (std::size_t i = 0; i < row_bytes; ++i) in_row[first + i] = true;
      }
  std::size_t changed = 0;
  for (std::size_t i = 0; i < before.bytes(); ++i)
    changed += !in_row[i] && before.data()[i] != after[i] ? 1 : 0;
  return changed;
}

}  // namespace

Damage& Damage::operator+=(const Damage& other) {
  guard_bytes += other.guard_bytes;
  input_bytes += other.input_bytes;
  padding_bytes += other.padding_bytes;
  return *this;
}

Target::~Target() {
  try {
    free_buffers();
  } catch (const core::Error&) {  // the context is lost, and the memory with it
  }
}

Target::Target(const Problem& problem, const dispatch::Device& device,
               const dispatch::Pinned& pinned, bool overlap)
    : problem_(problem),
      device_(device),
      plan_(std::make_unique<dispatch::Plan>(problem, device, pinned)),
      choice_(plan_->choice()),
      workspace_bytes_(plan_->workspace_bytes()),
      overlap_(overlap) {
  if (overlap) choice_.reason += "; launches may overlap";
}

Target::Target(const Problem& problem, std::size_t workspace_bytes, Implementation implementation)
    : problem_(problem),
      implementation_(std::move(implementation)),
      workspace_bytes_(workspace_bytes) {}

void Target::launch(const core::Arguments& arguments, cuda::StreamHandle stream) const {
  if (plan_ == nullptr) return implementation_(arguments);
  core::Arguments own = arguments;
  own.overlap |= overlap_;
  plan_->run(own, stream);
}

Target::Runner Target::runner(std::uint64_t schedule) const {
  if (device_.backend != Backend::emulator || plan_ == nullptr)
    return [this](const core::Arguments& arguments) { launch(arguments, nullptr); };
  return [this, schedule](const core::Arguments& arguments) {
    emulate::Options options;
    options.seed = schedule;
    const emulate::Report report = plan_->run_emulated(arguments, options);
    if (!report.findings.empty())
      core::fail(core::Status::device_failed, "{}", emulate::describe(report));
  };
}

Damage Target::run(HostCall& call, std::uint64_t schedule) const {
  return run_with(call, runner(schedule));
}

Damage Target::run_emulated(HostCall& call, const emulate::Options& options,
                            emulate::Report& report) const {
  return run_with(call, [&](const core::Arguments& arguments) {
    report = plan_->run_emulated(arguments, options);
  });
}

Target::Buffers& Target::buffers_for(const HostCall& call) const {
  if (buffers_ == nullptr || !buffers_->fit(call)) {
    buffers_.reset();
    buffers_ = std::make_unique<Buffers>(call, device_.backend, workspace_bytes_);
  }
  return *buffers_;
}

void Target::free_buffers() const {
  const std::lock_guard lock(one_at_a_time_);
  if (buffers_ == nullptr) return;
  std::optional<cuda::DeviceGuard> guard;
  if (device_.backend == Backend::cuda) guard.emplace(device_.ordinal);
  buffers_.reset();
}

Damage Target::run_with(HostCall& call, const Runner& runner) const {
  const std::lock_guard lock(one_at_a_time_);
  const bool on_gpu = device_.backend == Backend::cuda;
  std::optional<cuda::DeviceGuard> guard;
  if (on_gpu) guard.emplace(device_.ordinal);

  Buffers& own = buffers_for(call);
  own.fill_inputs(call);
  own.o.fill(call.o.data());
  own.lse.fill(call.lse.data());
  own.workspace.poison(GuardedBuffer::guard_value);
  runner(own.arguments(call.scale));
  if (on_gpu) cuda::synchronize_device();

  Damage damage;
  damage.guard_bytes = own.workspace.retrieve_guards() + own.lse.retrieve_guards();
  for (GuardedBuffer* each : {&own.q, &own.k, &own.v, &own.o})
    damage.guard_bytes += each->retrieve();
  damage.input_bytes = count_different(call.q.data(), own.q.payload(), call.q.bytes()) +
                       count_different(call.k.data(), own.k.payload(), call.k.bytes()) +
                       count_different(call.v.data(), own.v.payload(), call.v.bytes());
  damage.padding_bytes = padding_changed(problem_, call.o, own.o.payload());
  if (call.o.bytes() > 0) std::memcpy(call.o.data(), own.o.payload(), call.o.bytes());
  own.lse.copy_payload(call.lse.data());
  return damage;
}

void Target::repeat(HostCall& call, int runs, const std::function<void(int)>& after) const {
  const std::lock_guard lock(one_at_a_time_);
  const bool on_gpu = device_.backend == Backend::cuda;
  std::optional<cuda::DeviceGuard> guard;
  if (on_gpu) guard.emplace(device_.ordinal);

  Buffers& own = buffers_for(call);
  own.fill_inputs(call);
  for (int run = 0; run < runs; ++run) {
    const auto poison = static_cast<std::byte>(0xFF - run);
    own.o.poison(poison);
    own.lse.poison(poison);
    own.workspace.poison(GuardedBuffer::guard_value);
    runner(static_cast<std::uint64_t>(run))(own.arguments(call.scale));
    if (on_gpu) cuda::synchronize_device();
    own.o.copy_payload(call.o.data());
    own.lse.copy_payload(call.lse.data());
    after(run);
  }
}

}  // namespace flashcore::gate
