#include "gate/target.h"

#include <algorithm>
#include <cstring>
#include <optional>

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
      : image_(core::Dtype::float32, static_cast<std::int64_t>((bytes + 2 * guard_bytes + 3) / 4)),
        bytes_(bytes) {
    image_.fill_bytes(static_cast<std::uint8_t>(guard_value));
    if (payload != nullptr && bytes > 0) std::memcpy(image_.data() + guard_bytes, payload, bytes);
    if (backend != Backend::cuda) return;
    device_ = cuda::Buffer(image_.bytes());
    cuda::copy_to_device(device_.data(), image_.data(), image_.bytes());
  }

  /// What the call is given.
  [[nodiscard]] void* data() {
    std::byte* base =
        device_.data() != nullptr ? static_cast<std::byte*>(device_.data()) : image_.data();
    return base + guard_bytes;
  }

  /// Takes the contents back to the host and counts the guard bytes that changed.
  std::size_t retrieve() {
    if (device_.data() != nullptr)
      cuda::copy_to_host(image_.data(), device_.data(), image_.bytes());
    const std::byte* begin = image_.data();
    return count_changed(begin, begin + guard_bytes, guard_value) +
           count_changed(begin + guard_bytes + bytes_, begin + image_.bytes(), guard_value);
  }

  /// The payload, as retrieved.
  [[nodiscard]] const std::byte* payload() const { return image_.data() + guard_bytes; }

 private:
  core::HostTensor image_;
  std::size_t bytes_;
  cuda::Buffer device_;
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
               const dispatch::Pinned& pinned)
    : problem_(problem),
      device_(device),
      plan_(std::make_unique<dispatch::Plan>(problem, device, pinned)),
      choice_(plan_->choice()),
      workspace_bytes_(plan_->workspace_bytes()) {}

Target::Target(const Problem& problem, std::size_t workspace_bytes, Implementation implementation)
    : problem_(problem),
      implementation_(std::move(implementation)),
      workspace_bytes_(workspace_bytes) {}

void Target::launch(const core::Arguments& arguments, cuda::StreamHandle stream) const {
  if (plan_ != nullptr)
    plan_->run(arguments, stream);
  else
    implementation_(arguments);
}

Damage Target::run(HostCall& call, std::uint64_t schedule) const {
  if (device_.backend != Backend::emulator || plan_ == nullptr)
    return run_with(call, [&](const core::Arguments& arguments) { launch(arguments, nullptr); });
  emulate::Report report;
  emulate::Options options;
  options.seed = schedule;
  const Damage damage = run_emulated(call, options, report);
  if (!report.findings.empty())
    core::fail(core::Status::device_failed, "{}", emulate::describe(report));
  return damage;
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

  const auto buffer = [&](const void* payload, std::size_t bytes) {
    return GuardedBuffer(device_.backend, payload, bytes);
  };
  GuardedBuffer q = buffer(call.q.data(), call.q.bytes());
  GuardedBuffer k = buffer(call.k.data(), call.k.bytes());
  GuardedBuffer v = buffer(call.v.data(), call.v.bytes());
  GuardedBuffer o = buffer(call.o.data(), call.o.bytes());
  GuardedBuffer lse = buffer(call.lse.data(), call.lse.size() * sizeof(float));
  GuardedBuffer workspace = buffer(nullptr, workspace_bytes_);
  runner({.q = q.data(),
          .k = k.data(),
          .v = v.data(),
          .o = o.data(),
          .lse = static_cast<float*>(lse.data()),
          .scale = call.scale,
          .workspace = workspace.data(),
          .workspace_bytes = workspace_bytes_});
  if (on_gpu) cuda::synchronize_device();

  Damage damage;
  for (GuardedBuffer* each : {&q, &k, &v, &o, &lse, &workspace})
    damage.guard_bytes += each->retrieve();
  damage.input_bytes = count_different(call.q.data(), q.payload(), call.q.bytes()) +
                       count_different(call.k.data(), k.payload(), call.k.bytes()) +
                       count_different(call.v.data(), v.payload(), call.v.bytes());
  damage.padding_bytes = padding_changed(problem_, call.o, o.payload());
  if (call.o.bytes() > 0) std::memcpy(call.o.data(), o.payload(), call.o.bytes());
  if (!call.lse.empty())
    std::memcpy(call.lse.data(), lse.payload(), call.lse.size() * sizeof(float));
  return damage;
}

}  // namespace flashcore::gate
