// How long anybody was busy, of several that may be at once.
#pragma once

#include <chrono>
#include <mutex>

namespace flashcore::tune {

class BusyClock {
 public:
  /// Busy for as long as it lives.
  class Task {
   public:
    explicit Task(BusyClock& clock) : clock_(clock) { clock_.add(1); }
    ~Task() { clock_.add(-1); }
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;

   private:
    BusyClock& clock_;
  };

  /// Once nobody is.
  [[nodiscard]] double seconds() const {
    const std::scoped_lock lock(mutex_);
    return total_.count();
  }

 private:
  void add(int tasks) {
    const std::scoped_lock lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (tasks_ == 0) since_ = now;
    tasks_ += tasks;
    if (tasks_ == 0) total_ += now - since_;
  }

  mutable std::mutex mutex_;
  int tasks_ = 0;
  std::chrono::steady_clock::time_point since_;
  std::chrono::duration<double> total_{0};
};

}  // namespace flashcore::tune
