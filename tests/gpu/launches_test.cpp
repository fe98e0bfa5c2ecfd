// Many launches of mixed calls, on one stream and on several: no launch hangs, and each leaves the
// bits of its call's first.
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "cuda/memory.h"
#include "cuda/replay.h"
#include "cuda/stream.h"
#include "gate/accuracy.h"
#include "gate/random_problem.h"
#include "gpu_test.h"

namespace flashcore {
namespace {

using test::PinnedCall;

constexpr unsigned char poison = 0xFF;  // NaN

/// A call's inputs in device memory; its outputs go wherever each launch is told.
class LaunchedCall {
 public:
  LaunchedCall(const gate::Target& target, std::uint64_t seed)
      : target_(target),
        host_(core::HostCall::random(target.problem(), seed)),
        q_(copied(host_.q)),
        k_(copied(host_.k)),
        v_(copied(host_.v)),
        workspace_(target.workspace_bytes()),
        // Of O, and of the LSE behind it, aligned as allocations are.
        lse_offset_((host_.o.bytes() + 255) / 256 * 256),
        output_bytes_(lse_offset_ + (host_.lse.size() * sizeof(float) + 255) / 256 * 256) {}

  [[nodiscard]] std::size_t output_bytes() const { return output_bytes_; }
  /// Whether several may run at once: they share their inputs, but would their workspace too.
  [[nodiscard]] bool runs_beside_itself() const { return workspace_.bytes() == 0; }
  [[nodiscard]] std::string name() const {
    return target_.choice().family + ' ' + target_.choice().config + ", " +
           target_.problem().to_string();
  }

  void launch(std::byte* outputs, cuda::StreamHandle stream, bool overlap) const {
    target_.launch({.q = q_.data(),
                    .k = k_.data(),
                    .v = v_.data(),
                    .o = outputs,
                    .lse = reinterpret_cast<float*>(outputs + lse_offset_),
                    .scale = host_.scale,
                    .workspace = workspace_.data(),
                    .workspace_bytes = workspace_.bytes(),
                    .overlap = overlap},
                   stream);
  }

  /// Takes these outputs for those of every launch.
  void expect(const std::byte* outputs) { expected_.assign(outputs, outputs + output_bytes_); }
  /// Whether they are right.
  gate::Accuracy accuracy() {
    std::memcpy(host_.o.data(), expected_.data(), host_.o.bytes());
    std::memcpy(host_.lse.data(), expected_.data() + lse_offset_, host_.lse.size() * sizeof(float));
    return gate::check_accuracy(host_, true, true);
  }
  [[nodiscard]] bool left(const std::byte* outputs) const {
    return std::memcmp(outputs, expected_.data(), output_bytes_) == 0;
  }

 private:
  static cuda::Buffer copied(const core::HostTensor& tensor) {
    cuda::Buffer buffer(tensor.bytes());
    cuda::copy_to_device(buffer.data(), tensor.data(), tensor.bytes());
    return buffer;
  }

  const gate::Target& target_;
  core::HostCall host_;
  cuda::Buffer q_, k_, v_, workspace_;
  std::size_t lse_offset_, output_bytes_;
  std::vector<std::byte> expected_;
};

/// The family's Config for the Problem, and one for each number of blocks that may share keys.
void add_calls(const family::Family& family, const core::Problem& problem, std::mt19937& random,
               std::vector<PinnedCall>& calls) {
  const auto& limits = cuda::device_info(0).limits;
  if (!family.supports(problem, limits)) return;
  const auto add = [&](const family::ConfigFields& config) {
    calls.push_back({problem, {.family = std::string{family.name()}, .config = config}});
  };
  const auto standard = family.default_config(problem, limits);
  add(standard);
  auto space = family.space(problem, limits);
  std::shuffle(space.begin(), space.end(), random);
  for (const auto& [field, value] : standard.fields())
    if (field == "kv_splits")
      for (const int splits : {1, 2, 4, 8}) {
        const auto found = std::find_if(space.begin(), space.end(), [&](const auto& config) {
          return config.at("kv_splits") == splits;
        });
        if (found != space.end()) add(*found);
      }
}

/// Every family of this machine, sizes from a row to more tasks than multiprocessors, every mask.
std::vector<PinnedCall> mixed_calls() {
  std::vector<PinnedCall> calls;
  std::mt19937 random(1);
  for (const auto* family : test::families_here()) {
    for (std::uint64_t seed = 0; seed < 6; ++seed)
      add_calls(*family,
                gate::random_problem(seed, {.max_seq = seed % 2 == 0 ? 500 : 150,
                                            .max_head_dim = seed % 3 == 0 ? 256 : 128,
                                            .head_dim_multiple = 8,
                                            .dtypes = test::gpu_dtypes}),
                random, calls);
    const core::Mask causal{.kind = core::MaskKind::causal_bottom_right};
    for (const int head_dim : {64, 128})
      add_calls(
          *family,
          core::contiguous_problem(core::Dtype::float16, 1, 160, 40, 130, 130, head_dim, causal),
          random, calls);
  }
  return calls;
}

/// Ends the process where the GPU is not done in time: nothing else ends a kernel that hangs.
class Watchdog {
 public:
  explicit Watchdog(std::chrono::seconds limit) : thread_([this, limit] { watch(limit); }) {}
  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void watch(std::chrono::seconds limit) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, limit, [this] { return done_; })) return;
    std::fprintf(stderr, "a launch hangs: the GPU was not done in %lld s\n",
                 static_cast<long long>(limit.count()));
    std::_Exit(1);
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;
};

constexpr std::chrono::seconds round_limit{300};  // a sanitizer's, which is slow

class GpuLaunches : public test::GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (IsSkipped()) return;
    guard_.emplace(0);
    stream_.emplace();
    targets_ = test::targets_of(mixed_calls());
    for (const auto& target : targets_) calls_.emplace_back(*target, calls_.size());
    arena_ = cuda::Buffer(std::size_t{256} << 20);
    results_.resize(arena_.bytes());
  }

  /// Launches from `begin` on one after the other, every other one overlapping the one before, each
  /// to a place of its own, while there is room; leaves where they wrote in results_, and says
  /// where it stopped.
  std::size_t run(const std::vector<LaunchedCall*>& sequence, std::size_t begin) {
    const Watchdog watchdog(round_limit);
    cuda::fill(arena_.data(), poison, arena_.bytes());
    std::size_t used = 0, end = begin;
    for (; end < sequence.size(); ++end) {
      if (used + sequence[end]->output_bytes() > arena_.bytes()) break;
      sequence[end]->launch(static_cast<std::byte*>(arena_.data()) + used, stream_->handle(),
                            end % 2 == 1);
      used += sequence[end]->output_bytes();
    }
    stream_->synchronize();
    cuda::copy_to_host(results_.data(), arena_.data(), used);
    return end;
  }

  /// One launch of each call, which must be right: what the others are held to.
  void take_first_results() {
    std::vector<LaunchedCall*> each;
    for (LaunchedCall& call : calls_) each.push_back(&call);
    for (std::size_t begin = 0; begin < each.size();) {
      const std::size_t end = run(each, begin);
      const std::byte* outputs = results_.data();
      for (; begin < end; outputs += each[begin++]->output_bytes()) each[begin]->expect(outputs);
    }
    std::vector<gate::Accuracy> accuracies(calls_.size());
    core::parallel_for(calls_.size(), [&](std::size_t i) { accuracies[i] = calls_[i].accuracy(); });
    for (std::size_t i = 0; i < calls_.size(); ++i)
      ASSERT_TRUE(accuracies[i].correct) << calls_[i].name() << ": " << accuracies[i].reason;
  }

  std::optional<cuda::DeviceGuard> guard_;
  std::optional<cuda::Stream> stream_;
  std::vector<std::unique_ptr<gate::Target>> targets_;
  std::deque<LaunchedCall> calls_;
  cuda::Buffer arena_;
  std::vector<std::byte> results_;
};

TEST_F(GpuLaunches, MixedCallsLeaveTheSameBitsEveryTime) {
  ASSERT_NO_FATAL_FAILURE(take_first_results());
  std::mt19937 random(2);
  std::vector<LaunchedCall*> sequence(test::launch_count(10'000));
  for (LaunchedCall*& call : sequence) call = &calls_[random() % calls_.size()];
  for (std::size_t begin = 0; begin < sequence.size();) {
    const std::size_t end = run(sequence, begin);
    const std::byte* outputs = results_.data();
    for (; begin < end; outputs += sequence[begin++]->output_bytes())
      ASSERT_TRUE(sequence[begin]->left(outputs))
          << "launch " << begin << " of " << sequence[begin]->name();
  }
}

/// Some of the streams come too late for a graph of their own (cuda/replay.h).
TEST_F(GpuLaunches, ThreadsOnStreamsOfTheirOwnLeaveTheSameBits) {
  ASSERT_NO_FATAL_FAILURE(take_first_results());
  std::vector<LaunchedCall*> calls;
  for (LaunchedCall& call : calls_)
    if (call.runs_beside_itself()) calls.push_back(&call);
  const Watchdog watchdog(round_limit);
  cuda::fill(arena_.data(), poison, arena_.bytes());
  constexpr std::size_t threads = cuda::ReplayedKernel::most_streams + 2;
  const std::size_t share = arena_.bytes() / threads / 256 * 256;
  std::vector<std::vector<LaunchedCall*>> launched(threads);
  core::parallel_for(threads, [&](std::size_t thread) {
    const cuda::DeviceGuard guard(0);
    const cuda::Stream stream;
    std::mt19937 random(static_cast<unsigned>(thread));
    auto* outputs = static_cast<std::byte*>(arena_.data()) + thread * share;
    std::size_t used = 0;
    for (std::uint64_t i = 0; i < test::launch_count(400); ++i) {
      LaunchedCall* call = calls[random() % calls.size()];
      if (used + call->output_bytes() > share) break;
      call->launch(outputs + used, stream.handle(), false);
      used += call->output_bytes();
      launched[thread].push_back(call);
    }
    stream.synchronize();
  });
  cuda::copy_to_host(results_.data(), arena_.data(), arena_.bytes());
  for (std::size_t thread = 0; thread < threads; ++thread) {
    const std::byte* outputs = results_.data() + thread * share;
    for (std::size_t i = 0; i < launched[thread].size();
         outputs += launched[thread][i++]->output_bytes())
      ASSERT_TRUE(launched[thread][i]->left(outputs))
          << "launch " << i << " of thread " << thread << ", " << launched[thread][i]->name();
  }
}

TEST_F(GpuLaunches, EveryCallCanBeCapturedAndReplayed) {
  ASSERT_NO_FATAL_FAILURE(take_first_results());
  for (LaunchedCall& call : calls_) {
    auto* outputs = static_cast<std::byte*>(arena_.data());
    const std::size_t bytes = call.output_bytes();
    const cuda::Graph graph([&](cuda::StreamHandle capturing) {
      call.launch(outputs, capturing, false);
      call.launch(outputs + bytes, capturing, true);
    });
    for (int replay = 0; replay < 3; ++replay) {
      const Watchdog watchdog(round_limit);
      cuda::fill(outputs, poison, 2 * bytes);
      graph.launch(stream_->handle());
      stream_->synchronize();
      cuda::copy_to_host(results_.data(), outputs, 2 * bytes);
      EXPECT_TRUE(call.left(results_.data())) << call.name() << " replay " << replay;
      EXPECT_TRUE(call.left(results_.data() + bytes)) << call.name() << " overlapping " << replay;
    }
  }
}

}  // namespace
}  // namespace flashcore
