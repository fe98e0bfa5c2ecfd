#include "cpu/thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "core/error.h"

namespace flashcore::cpu {

namespace {

constexpr int most_threads = 1024;

/// Threads started in this scope block every signal: handlers belong to the host program's threads.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

int usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(CPU_COUNT(&set), 1);
  return std::max(static_cast<int>(std::thread::hardware_concurrency()), 1);
}

}  // namespace

ThreadPool::ThreadPool(int threads) : threads_(threads), owner_(getpid()) {
  const SignalsBlocked blocked;
  workers_.reserve(static_cast<std::size_t>(threads - 1));
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { serve(); });
  } catch (const std::system_error&) {
    // The system gives no more threads: the pool works with those it has.
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  job_posted_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::Job::take_items(int slot) {
  for (;;) {
    const std::int64_t item = next.fetch_add(1, std::memory_order_relaxed);
    if (item >= items) return;
    work(context, item, slot);
  }
}

void ThreadPool::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    job_posted_.wait(
        lock, [this] { return stopping_ || (job_ != nullptr && job_->joined < job_->slots); });
    if (stopping_) return;
    Job& job = *job_;
    const int slot = job.joined++;
    ++job.working;
    lock.unlock();
    job.take_items(slot);
    lock.lock();
    if (--job.working == 0) worker_left_.notify_all();
    if (job_ == &job) job_ = nullptr;  // no item is left to join for
  }
}

void ThreadPool::run(std::int64_t items, int at_most_threads, Work work, const void* context) {
  Job job{.work = work,
          .context = context,
          .items = items,
          .slots = static_cast<int>(std::min<std::int64_t>({threads_, at_most_threads, items}))};
  std::unique_lock has_pool(caller_, std::defer_lock);
  // In a child of fork() the mutexes are copies that nobody may ever unlock: not even tried there.
  if (job.slots <= 1 || getpid() != owner_ || !has_pool.try_lock()) {
    job.take_items(0);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    job_ = &job;
  }
  job_posted_.notify_all();
  job.take_items(0);
  std::unique_lock lock(mutex_);
  job_ = nullptr;
  worker_left_.wait(lock, [&job] { return job.working == 0; });
}

int wanted_threads() {
  const char* text = std::getenv("FLASHCORE_THREADS");
  if (text == nullptr || *text == '\0') return std::min(usable_cpus(), most_threads);
  int threads = 0;
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, threads);
  if (error != std::errc{} || stop != end || threads < 1 || threads > most_threads)
    core::fail(core::Status::invalid_argument,
               "FLASHCORE_THREADS: \"{}\" is not a number from 1 to {}", text, most_threads);
  return threads;
}

ThreadPool& process_pool() {
  static ThreadPool& pool = *new ThreadPool(wanted_threads());
  return pool;
}

}  // namespace flashcore::cpu
