#include "cpu/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"

namespace flashcore::cpu {
namespace {

struct Tally {
  explicit Tally(std::int64_t items, int threads)
      : calls(static_cast<std::size_t>(items)), in_slot(static_cast<std::size_t>(threads)) {}
  mutable std::vector<std::atomic<int>> calls;
  mutable std::vector<std::atomic<int>> in_slot;
  mutable std::atomic<bool> slots_clash{false};
};

void count(const void* context, std::int64_t item, int slot) {
  const Tally& tally = *static_cast<const Tally*>(context);
  auto& busy = tally.in_slot.at(static_cast<std::size_t>(slot));
  if (busy.fetch_add(1) != 0) tally.slots_clash = true;
  ++tally.calls.at(static_cast<std::size_t>(item));
  --busy;
}

void expect_each_once(ThreadPool& pool, std::int64_t items, int at_most) {
  const Tally tally(items, pool.threads());
  pool.run(items, at_most, count, &tally);
  for (const auto& calls : tally.calls) EXPECT_EQ(calls, 1);
  EXPECT_FALSE(tally.slots_clash);
}

TEST(ThreadPool, RunsEveryItemOnceAndNoSlotTwiceAtATime) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (std::int64_t items = 0; items < 60; ++items) expect_each_once(pool, items, threads);
  }
}

TEST(ThreadPool, KeepsToTheThreadsAsked) {
  ThreadPool pool(4);
  const Tally tally(200, 2);  // at() throws for a slot beyond the second
  pool.run(200, 2, count, &tally);
  for (const auto& calls : tally.calls) EXPECT_EQ(calls, 1);
}

TEST(ThreadPool, ServesCallersAtTheSameTime) {
  ThreadPool pool(3);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&pool] {
      for (int round = 0; round < 200; ++round) expect_each_once(pool, round % 17, 3);
    });
  for (std::thread& caller : callers) caller.join();
}

/// Two items that wait for each other finish only if two threads run them.
void meet(const void* context, std::int64_t, int) {
  auto& arrived = *const_cast<std::atomic<int>*>(static_cast<const std::atomic<int>*>(context));
  ++arrived;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (arrived < 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
}

TEST(ThreadPool, ThreadsOfThePoolDoJoin) {
  ThreadPool pool(2);
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> arrived{0};
    pool.run(2, 2, meet, &arrived);
    ASSERT_EQ(arrived, 2);
  }
}

TEST(ThreadPool, AChildThatForkedWithoutThePoolsThreadsStillGetsItsResults) {
  ThreadPool pool(3);
  expect_each_once(pool, 100, 3);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const Tally tally(100, 3);
    pool.run(100, 3, count, &tally);
    for (const auto& calls : tally.calls)
      if (calls != 1) _exit(1);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(ThreadPool, WaitingThreadsSleep) {
  ThreadPool pool(4);
  expect_each_once(pool, 100, 4);
  const std::clock_t before = std::clock();  // of the process
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  EXPECT_LT(seconds, 0.1);
}

class ThreadsVariable : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const char* value = std::getenv("FLASHCORE_THREADS")) before_ = value;
  }
  void TearDown() override {
    if (before_.empty())
      unsetenv("FLASHCORE_THREADS");
    else
      setenv("FLASHCORE_THREADS", before_.c_str(), 1);
  }

 private:
  std::string before_;
};

TEST_F(ThreadsVariable, SetsTheNumber) {
  setenv("FLASHCORE_THREADS", "7", 1);
  EXPECT_EQ(wanted_threads(), 7);
}

TEST_F(ThreadsVariable, UnsetOrEmptyMeansTheCpusOfThisProcess) {
  unsetenv("FLASHCORE_THREADS");
  const int threads = wanted_threads();
  EXPECT_GE(threads, 1);
  setenv("FLASHCORE_THREADS", "", 1);
  EXPECT_EQ(wanted_threads(), threads);
}

TEST_F(ThreadsVariable, AnythingElseIsRefusedByName) {
  for (const char* value : {"0", "-1", "1025", "2x", " 2", "two", "1e3", "99999999999999"}) {
    setenv("FLASHCORE_THREADS", value, 1);
    try {
      wanted_threads();
      ADD_FAILURE() << "accepted \"" << value << '"';
    } catch (const core::Error& error) {
      EXPECT_EQ(error.status(), core::Status::invalid_argument);
      EXPECT_EQ(std::string(error.what()),
                "FLASHCORE_THREADS: \"" + std::string(value) + "\" is not a number from 1 to 1024");
    }
  }
}

}  // namespace
}  // namespace flashcore::cpu
