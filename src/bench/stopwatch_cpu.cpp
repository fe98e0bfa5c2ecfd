// The CPU: a call's wall time, on buffer sets that rotate and on one set.
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "bench/stopwatch_backends.h"
#include "gate/statistics.h"

namespace flashcore::bench {

using core::HostCall;

namespace {

constexpr std::int64_t most_footprint = std::int64_t{512} << 20;
constexpr double round_us = 20e3;  // that a round spends on the cold and on the warm calls
constexpr std::int64_t most_calls = 50;

std::int64_t last_level_cache_bytes() {
  const long l3 = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return l3 > 0 ? l3 : std::int64_t{32} << 20;
}

class CpuStopwatch final : public Stopwatch {
 public:
  CpuStopwatch(const gate::Target& target, std::uint64_t seed)
      : target_(target),
        seed_(seed),
        workspace_(core::Dtype::float32,
                   static_cast<std::int64_t>(target.workspace_bytes() / 4 + 1)) {
    sets_ = *distinct_calls(target.problem(), seed);
    const std::size_t distinct = sets_.size();
    time_call(sets_.front());  // threads and code come up
    const double call_us = time_call(sets_.front());
    const std::int64_t footprint = std::min(2 * last_level_cache_bytes(), most_footprint);
    rotation_ = plan_rotation(target.problem().bytes(), footprint, call_us, 1);
    rotation_.launches =
        std::clamp<std::int64_t>(static_cast<std::int64_t>(round_us / call_us), 1, most_calls);
    rotation_.sets = std::max(rotation_.sets, static_cast<std::int64_t>(sets_.size()));
    sets_.reserve(static_cast<std::size_t>(rotation_.sets));
    while (static_cast<std::int64_t>(sets_.size()) < rotation_.sets)
      sets_.push_back(sets_[sets_.size() % distinct]);
    for (HostCall& set : sets_) set.poison_outputs();
  }

  [[nodiscard]] Rotation rotation() const override { return rotation_; }

  Round measure() override {
    Round round;
    // The peer's turn left the caches and the threads to it; an untimed call takes them back.
    time_call(sets_.front());
    std::vector<double> times;
    for (std::int64_t i = 0; i < rotation_.launches; ++i) times.push_back(time_call(next_set()));
    round.cold_us = gate::median(times);
    times.clear();
    time_call(sets_.front());
    for (std::int64_t i = 0; i < rotation_.launches; ++i) times.push_back(time_call(sets_.front()));
    round.warm_us = round.eager_us = gate::median(times);
    return round;
  }

  std::string check_outputs() override {
    for (const std::int64_t set : {std::int64_t{0}, last_timed_}) {
      std::string why = objection_to(sets_[static_cast<std::size_t>(set)], set, seed_);
      if (!why.empty()) return why;
    }
    return "";
  }

 private:
  HostCall& next_set() {
    last_timed_ = (last_timed_ + 1) % rotation_.sets;
    return sets_[static_cast<std::size_t>(last_timed_)];
  }

  double time_call(HostCall& call) {
    core::Arguments arguments = call.arguments();
    arguments.workspace = workspace_.data();
    arguments.workspace_bytes = target_.workspace_bytes();
    const auto start = std::chrono::steady_clock::now();
    target_.launch(arguments, nullptr);
    const std::chrono::duration<double, std::micro> elapsed =
        std::chrono::steady_clock::now() - start;
    return elapsed.count();
  }

  const gate::Target& target_;
  std::uint64_t seed_;
  core::HostTensor workspace_;
  std::vector<HostCall> sets_;
  std::int64_t last_timed_ = 0;
  Rotation rotation_;
};

}  // namespace

std::unique_ptr<Stopwatch> make_cpu_stopwatch(const gate::Target& target, std::uint64_t seed) {
  return std::make_unique<CpuStopwatch>(target, seed);
}

}  // namespace flashcore::bench
