#include "core/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace flashcore::core {

void parallel_for(std::size_t count, std::size_t most_threads,
                  const std::function<void(std::size_t)>& body) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) try {
        body(i);
      } catch (...) {
        const std::scoped_lock lock(mutex);
        if (failure == nullptr) failure = std::current_exception();
        next = count;
      }
  };
  const std::size_t processors = std::max(1U, std::thread::hardware_concurrency());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < std::min({processors, most_threads, count}); ++i)
      threads.emplace_back(work);
    work();
  }
  if (failure != nullptr) std::rethrow_exception(failure);
}

void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) {
  parallel_for(count, count, body);
}

}  // namespace flashcore::core
