#include "gate/target.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "core/error.h"
#include "cuda/driver.h"
#include "cuda/memory.h"
#include "cuda/stream.h"
#include "emulate/call.h"

namespace flashcore::gate {

using core::HostCall;
using core::Problem;
using dispatch::Backend;

namespace {

constexpr std::size_t guard_bytes = 4096;  // a multiple of every alignment that a tensor may want

/// NaN in every dtype: a write is seen, and a read that reaches the output is seen too.
constexpr auto guard_value = std::byte{0xFF};

std::size_t count_changed(const std::byte* begin, const std::byte* end, std::byte expected) {
  return static_cast<std::size_t>(
      std::count_if(begin, end, [&](std::byte value) { return value != expected; }));
}

std::size_t count_different(const std::byte* a, const std::byte* b, std::size_t bytes) {
  if (bytes == 0 || std::memcmp(a, b, bytes) == 0) return 0;
  std::size_t different = 0;
  for (std::size_t i = 0; i < bytes; ++i) different += a[i] != b[i] ? 1 : 0;
  return different;
}

/// A payload between two guard zones, on the host or on a device.
class GuardedBuffer {
 public:
  /// `payload` null: poisoned. The emulator computes in the host's memory.
  GuardedBuffer(Backend backend, const void* payload, std::size_t bytes)
      : bytes_(bytes), poisoned_(payload == nullptr), on_device_(backend == Backend::cuda) {
    const std::size_t all = bytes + 2 * guard_bytes;
    if (on_device_) device_ = cuda::Buffer(all);
    // Poison on a device is not brought back: it may be far more than the tensors.
    const std::size_t kept = on_device_ && poisoned_ ? 2 * guard_bytes : all;
    image_ = core::HostTensor(core::Dtype::float32, static_cast<std::int64_t>((kept + 3) / 4));
    image_bytes_ = kept;
    fill(payload);
  }

  /// As it was after construction with this payload.
  void fill(const void* payload) {
    if (on_device_)
      cuda::fill(device_.data(), static_cast<unsigned char>(guard_value), device_.bytes());
    else
      image_.fill_bytes(static_cast<std::uint8_t>(guard_value));
    if (payload == nullptr || bytes_ == 0) return;
    if (on_device_)
      cuda::copy_to_device(data(), payload, bytes_);
    else
      std::memcpy(data(), payload, bytes_);
  }

  /// What the call is given.
  [[nodiscard]] void* data() {
    std::byte* base = on_device_ ? static_cast<std::byte*>(device_.data()) : image_.data();
    return base + guard_bytes;
  }

  /// Takes the contents back to the host and counts the guard bytes that changed.
  std::size_t retrieve() {
    if (on_device_) {
      const auto* base = static_cast<const std::byte*>(device_.data());
      const std::size_t head = image_bytes_ - guard_bytes;
      cuda::copy_to_host(image_.data(), base, head);
      cuda::copy_to_host(image_.data() + head, base + guard_bytes + bytes_, guard_bytes);
    }
    const std::byte* begin = image_.data();
    const std::byte* end = begin + image_bytes_;
    return count_changed(begin, begin + guard_bytes, guard_value) +
           count_changed(end - guard_bytes, end, guard_value);
  }

  /// The payload, as retrieved; poison has none.
  [[nodiscard]] const std::byte* payload() const { return image_.data() + guard_bytes; }

 private:
  std::size_t bytes_;
  bool poisoned_, on_device_;
  core::HostTensor image_;  // payload and guard zones, or these alone
  std::size_t image_bytes_ = 0;
  cuda::Buffer device_;
};

/// A call's tensors and its workspace.
struct GuardedCall {
  GuardedCall(const HostCall& call, Backend backend, std::size_t workspace_bytes)
      : q(backend, call.q.data(), call.q.bytes()),
        k(backend, call.k.data(), call.k.bytes()),
        v(backend, call.v.data(), call.v.bytes()),
        o(backend, call.o.data(), call.o.bytes()),
        lse(backend, call.lse.data(), call.lse.size() * sizeof(float)),
        workspace(backend, nullptr, workspace_bytes),
        arguments{.q = q.data(),
                  .k = k.data(),
                  .v = v.data(),
                  .o = o.data(),
                  .lse = static_cast<float*>(lse.data()),
                  .scale = call.scale,
                  .workspace = workspace.data(),
                  .workspace_bytes = workspace_bytes} {}

  /// Leaves the outputs, as retrieved, in `call`.
  void hand_over(HostCall& call) const {
    if (call.o.bytes() > 0) std::memcpy(call.o.data(), o.payload(), call.o.bytes());
    if (!call.lse.empty())
      std::memcpy(call.lse.data(), lse.payload(), call.lse.size() * sizeof(float));
  }

  GuardedBuffer q, k, v, o, lse, workspace;
  core::Arguments arguments;
};

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

Damage Target::run_with(HostCall& call, const Runner& runner) const {
  const std::lock_guard lock(one_at_a_time_);
  const bool on_gpu = device_.backend == Backend::cuda;
  std::optional<cuda::DeviceGuard> guard;
  if (on_gpu) guard.emplace(device_.ordinal);

  GuardedCall own(call, device_.backend, workspace_bytes_);
  runner(own.arguments);
  if (on_gpu) cuda::synchronize_device();

  Damage damage;
  for (GuardedBuffer* each : {&own.q, &own.k, &own.v, &own.o, &own.lse, &own.workspace})
    damage.guard_bytes += each->retrieve();
  damage.input_bytes = count_different(call.q.data(), own.q.payload(), call.q.bytes()) +
                       count_different(call.k.data(), own.k.payload(), call.k.bytes()) +
                       count_different(call.v.data(), own.v.payload(), call.v.bytes());
  damage.padding_bytes = padding_changed(problem_, call.o, own.o.payload());
  own.hand_over(call);
  return damage;
}

void Target::repeat(HostCall& call, int runs, const std::function<void(int)>& before,
                    const std::function<void(int)>& after) const {
  const std::lock_guard lock(one_at_a_time_);
  const bool on_gpu = device_.backend == Backend::cuda;
  std::optional<cuda::DeviceGuard> guard;
  if (on_gpu) guard.emplace(device_.ordinal);

  std::optional<GuardedCall> own;
  for (int run = 0; run < runs; ++run) {
    before(run);
    if (!own) {
      own.emplace(call, device_.backend, workspace_bytes_);
    } else {
      own->o.fill(call.o.data());
      own->lse.fill(call.lse.data());
      own->workspace.fill(nullptr);
    }
    runner(static_cast<std::uint64_t>(run))(own->arguments);
    if (on_gpu) cuda::synchronize_device();
    own->o.retrieve();
    own->lse.retrieve();
    own->hand_over(call);
    after(run);
  }
}

}  // namespace flashcore::gate
