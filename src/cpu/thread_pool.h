// Threads that stay, for work that comes in independent items.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace flashcore::cpu {

/// The caller of run() works on its own items at once, and the pool's threads join in as they wake:
/// a job never waits for a thread that has not joined it, so a short job costs no more than its own
/// work. A child of fork(), which has none of the threads, does its jobs alone.
/// run() allocates nothing and may be called from several threads; while one call has the pool, the
/// others do their work alone. Waiting threads sleep.
class ThreadPool {
 public:
  /// `threads` take part in a job, the caller among them.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  [[nodiscard]] int threads() const { return threads_; }

  /// Calls work(context, item, slot) once for every item in [0, items), and returns when all calls
  /// have. Calls that overlap have different slots in [0, threads). `work` must not throw.
  using Work = void (*)(const void* context, std::int64_t item, int slot);
  void run(std::int64_t items, int at_most_threads, Work work, const void* context);

 private:
  struct Job {
    Work work;
    const void* context;
    std::int64_t items;
    int slots;                          // how many may take part
    std::atomic<std::int64_t> next{0};  // the first item that nobody took
    int joined = 1;                     // guarded by mutex_, as is working
    int working = 0;

    void take_items(int slot);
  };

  void serve();

  int threads_;
  pid_t owner_;
  std::mutex caller_;  // held by the one call that has the pool
  std::mutex mutex_;
  std::condition_variable job_posted_;
  std::condition_variable worker_left_;
  Job* job_ = nullptr;  // null: nothing to join
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

/// The process's pool, created on first use and never destroyed: a thread that calls exit() while
/// another computes must not pull the pool away from it.
ThreadPool& process_pool();

/// What FLASHCORE_THREADS says, or else how many CPUs this process may run on. Throws where the
/// variable is not a number from 1 to 1024.
int wanted_threads();

}  // namespace flashcore::cpu
