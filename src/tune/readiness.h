// Who waits for one of several things that others make ready.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <vector>

namespace flashcore::tune {

/// What becomes ready, number by number.
class Readiness {
 public:
  explicit Readiness(std::size_t count) : ready_(count) {}

  void set(std::size_t i) {
    const std::scoped_lock lock(mutex_);
    ready_[i] = true;
    changed_.notify_all();
  }
  /// No other will become ready.
  void end() {
    const std::scoped_lock lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] bool ended() const {
    const std::scoped_lock lock(mutex_);
    return ended_;
  }
  /// Waits. False where it ended before.
  [[nodiscard]] bool wait_for(std::size_t i) const {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ready_[i] || ended_; });
    return ready_[i];
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<bool> ready_;
  bool ended_ = false;
};

}  // namespace flashcore::tune
