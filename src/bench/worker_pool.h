// Workers that are done with a case and sound: starting one takes a second on a GPU.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "bench/child.h"

namespace flashcore::bench {

class WorkerPool {
 public:
  /// Null where none waits.
  std::unique_ptr<Child> take() {
    const std::scoped_lock lock(mutex_);
    if (idle_.empty()) return nullptr;
    std::unique_ptr<Child> child = std::move(idle_.back());
    idle_.pop_back();
    return child;
  }

  void give_back(std::unique_ptr<Child> child) {
    const std::scoped_lock lock(mutex_);
    idle_.push_back(std::move(child));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Child>> idle_;
};

}  // namespace flashcore::bench
