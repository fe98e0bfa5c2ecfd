// Journals that are shared, cut off, full, and left behind by a tuner that was killed.
#include "tune/journal.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <latch>
#include <set>
#include <thread>

#include "landscape.h"
#include "support/message_of.h"
#include "support/temp_dir.h"
#include "tune/process_identity.h"
#include "tune/trial.h"

namespace flashcore::tune {
namespace {

using flashcore::test::message_of;
using flashcore::test::read_text;
using flashcore::test::TempDir;
using flashcore::test::write_text;
using nlohmann::json;

const Subject made_up{
    .family = "made_up", .problem = {{"s", 512}}, .gpu = "none", .source_hash = "1"};
const json search_keys{{"strategy", "evolve"}, {"seed", 1}};

class JournalFile : public ::testing::Test {
 protected:
  TempDir folder_;
  std::string path_ = folder_.file("tune.journal");
};

TEST_F(JournalFile, KeepsRunsAndCandidates) {
  {
    Journal journal(path_);
    const auto run = journal.begin(made_up, search_keys, {{"date", "today"}});
    journal.launch(run, "a=1", 0);
    journal.record(run, "a=1", 0, test::timed(5));
    journal.record(run, "a=2", 1, {.cause = Cause::compile_failed, .detail = "no such thing"});
    journal.launch(run, "a=3", 1);
    journal.finish(run, {{"stop", "time"}});
  }
  const auto runs = read_journal(path_);
  ASSERT_EQ(runs.size(), 1U);
  EXPECT_EQ(runs[0].subject, made_up);
  EXPECT_EQ(runs[0].end["stop"], "time");
  ASSERT_EQ(runs[0].rows.size(), 3U);
  EXPECT_EQ(runs[0].rows[0].outcome->latency_us, 5);
  EXPECT_EQ(runs[0].rows[1].outcome->detail, "no such thing");
  EXPECT_EQ(runs[0].rows[1].generation, 1);
  EXPECT_FALSE(runs[0].rows[2].outcome);
  EXPECT_TRUE(is_database(path_));
}

/// A search in a process of its own that is killed as it evaluates its n-th candidate.
void search_and_be_killed(const std::string& path, int at) {
  const pid_t child = fork();
  if (child == 0) {
    Journal journal(path);
    const Space space = test::hilly_space();
    const auto run = journal.begin(made_up, search_keys, {});
    int count = 0;
    JournaledTrial trial(journal, run, made_up, space, [&](auto configs, const TrialHooks& hooks) {
      std::vector<Outcome> outcomes;
      for (std::size_t i = 0; i < configs.size(); ++i) {
        hooks.launching(i);
        if (++count == at) kill(getpid(), SIGKILL);
        outcomes.push_back(test::mostly_crashing(configs[i]));
        hooks.done(i, outcomes.back());
      }
      return outcomes;
    });
    search(space, {},
           [&](auto batch, int generation) { return trial.evaluate(batch, generation); });
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
}

TEST_F(JournalFile, AKilledSearchIsTakenUpWhereItWasAndRunsNothingTwice) {
  constexpr int killed_at = 100;
  search_and_be_killed(path_, killed_at);
  std::set<std::string> before;
  const JournalRun killed = read_journal(path_).at(0);
  for (const auto& row : killed.rows) before.insert(row.config);
  EXPECT_EQ(before.size(), static_cast<std::size_t>(killed_at));

  Journal journal(path_);
  const auto run = journal.resume(made_up, search_keys);
  ASSERT_TRUE(run);
  const Space space = test::hilly_space();
  std::set<std::string> after;
  JournaledTrial trial(journal, *run, made_up, space, [&](auto configs, const TrialHooks& hooks) {
    std::vector<Outcome> outcomes;
    for (std::size_t i = 0; i < configs.size(); ++i) {
      after.insert(configs[i].to_string());
      outcomes.push_back(test::mostly_crashing(configs[i]));
      hooks.done(i, outcomes.back());
    }
    return outcomes;
  });
  const SearchResult resumed = search(
      space, {}, [&](auto batch, int generation) { return trial.evaluate(batch, generation); });
  EXPECT_EQ(trial.repeated(), static_cast<std::size_t>(killed_at));
  for (const std::string& config : after) EXPECT_FALSE(before.contains(config)) << config;

  int abandoned = 0;
  for (const Evaluation& each : resumed.evaluations)
    abandoned += each.outcome.cause == Cause::abandoned ? 1 : 0;
  EXPECT_EQ(abandoned, 1) << "the one that was running";
  EXPECT_EQ(resumed.evaluations.size(), 222U);
}

TEST_F(JournalFile, WhatTookAWorkerDownIsNotRunAgainByAnyTunerOfTheSubject) {
  Journal journal(path_);
  const auto first = journal.begin(made_up, search_keys, {});
  const Space space = test::hilly_space();
  const std::string start = space.config(space.start()).to_string();
  journal.record(first, start, 0, test::crashed());
  const auto crashes_in = [&](const Subject& other) {
    const auto run = journal.begin(other, {{"seed", 2}}, {});
    int tried = 0;
    JournaledTrial trial(journal, run, other, space, [&](auto configs, const TrialHooks&) {
      tried += static_cast<int>(configs.size());
      return std::vector<Outcome>(configs.size(), test::timed(1));
    });
    const std::vector<std::size_t> batch{space.start(), 0};
    return std::pair{trial.evaluate(batch, 0).front().cause, tried};
  };
  EXPECT_EQ(crashes_in(made_up), std::pair(Cause::crashed, 1));
  Subject changed = made_up;
  changed.source_hash = "2";
  EXPECT_EQ(crashes_in(changed), std::pair(Cause::none, 2)) << "other kernels may fare better";
}

TEST_F(JournalFile, OnlyAnUnfinishedRunOfTheSameSearchIsResumed) {
  Journal journal(path_);
  EXPECT_FALSE(journal.resume(made_up, search_keys));
  const auto run = journal.begin(made_up, search_keys, {});
  EXPECT_FALSE(journal.resume(made_up, {{"strategy", "random"}}));
  Subject other = made_up;
  other.gpu = "another";
  EXPECT_FALSE(journal.resume(other, search_keys));
  EXPECT_EQ(journal.resume(made_up, search_keys), run);
  journal.finish(run, {{"stop", "generations"}});
  EXPECT_FALSE(journal.resume(made_up, search_keys));
}

TEST_F(JournalFile, ARunWhoseTunerIsStillAtItIsNotTakenOver) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    Journal journal(path_);
    journal.begin(made_up, search_keys, {});
    if (write(ready[1], "x", 1) != 1) _exit(1);
    while (true) pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  Journal journal(path_);
  EXPECT_EQ(message_of([&] { journal.resume(made_up, search_keys); }),
            "resume: the run is still going on, in process " + std::to_string(child));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(journal.resume(made_up, search_keys));
}

TEST_F(JournalFile, TwoTunersShareItWithoutHarm) {
  constexpr int each = 40;
  const auto tuner = [&](const char* name) {
    Journal journal(path_);
    const auto run = journal.begin(made_up, {{"name", name}}, {});
    for (int i = 0; i < each; ++i) {
      const std::string config = "a=" + std::to_string(i);
      journal.launch(run, config, i);
      journal.record(run, config, i, test::timed(i + 1));
    }
    journal.finish(run, {{"stop", "generations"}});
  };
  std::thread first(tuner, "first"), second(tuner, "second");
  first.join();
  second.join();
  const auto runs = read_journal(path_);
  ASSERT_EQ(runs.size(), 2U);
  for (const JournalRun& run : runs) {
    EXPECT_EQ(run.rows.size(), static_cast<std::size_t>(each));
    EXPECT_FALSE(run.end.is_null());
    for (int i = 0; i < each; ++i)
      EXPECT_EQ(run.rows[static_cast<std::size_t>(i)].outcome->latency_us, i + 1);
  }
}

TEST_F(JournalFile, OfTunersThatMakeItAtTheSameMomentNoneIsTurnedAway) {
  constexpr int tuners = 4;
  for (int round = 0; round < 25; ++round) {
    const std::string path = folder_.file("journal" + std::to_string(round));
    std::latch all_are_there(tuners);
    std::vector<std::string> said(tuners);
    std::vector<std::thread> threads;
    for (std::string& words : said)
      threads.emplace_back([&] {
        all_are_there.arrive_and_wait();
        words = message_of([&] { Journal{path}; });
      });
    for (std::thread& thread : threads) thread.join();
    for (const std::string& words : said) EXPECT_EQ(words, "nothing was thrown") << round;
  }
}

TEST_F(JournalFile, OneCutOffMidWriteIsRefusedNotMisread) {
  {
    Journal journal(path_);
    const auto run = journal.begin(made_up, search_keys, {});
    for (int i = 0; i < 500; ++i) journal.record(run, "a=" + std::to_string(i), 0, test::timed(1));
  }
  const std::string whole = read_text(path_);
  for (const double part : {0.999, 0.7, 0.3}) {
    const auto size = static_cast<std::size_t>(part * static_cast<double>(whole.size()));
    write_text(path_, whole.substr(0, size));
    EXPECT_NE(message_of([&] { Journal{path_}; }), "nothing was thrown") << size;
    EXPECT_NE(message_of([&] { read_journal(path_); }), "nothing was thrown") << size;
    EXPECT_EQ(read_text(path_).size(), size) << "what is left is left alone";
  }
}

TEST_F(JournalFile, AWriteThatWasInterruptedIsUndone) {
  search_and_be_killed(path_, 5);
  const pid_t child = fork();
  if (child == 0) {
    const Database database(path_, Database::Access::write);
    const Transaction transaction(database);
    database.execute("DELETE FROM candidates");
    sqlite3_db_cacheflush(database.handle());  // in the log
    kill(getpid(), SIGKILL);
  }
  waitpid(child, nullptr, 0);
  ASSERT_TRUE(std::filesystem::exists(path_ + "-wal"));
  Journal{path_};
  EXPECT_EQ(read_journal(path_).at(0).rows.size(), 5U);
}

TEST_F(JournalFile, WhatIsNoJournalIsRefusedAndLeftAlone) {
  write_text(path_,
             "a text that happens to be here, longer than SQLite's header of a hundred bytes, "
             "which it takes to tell a database from what is none");
  EXPECT_EQ(message_of([&] { Journal{path_}; }), "journal: " + path_ + ": file is not a database");
  EXPECT_FALSE(is_database(path_));
  const std::string other = folder_.file("other.db");
  Database(other, Database::Access::write).execute("CREATE TABLE t (x)");
  EXPECT_EQ(message_of([&] { Journal{other}; }),
            "journal: " + other + ": is a database, but no journal of flashcore tune");
  EXPECT_EQ(message_of([] { Journal{"/nonexistent/tune.journal"}; }),
            "journal: /nonexistent/tune.journal: unable to open database file");
  EXPECT_EQ(message_of([&] { read_journal(folder_.file("none")); }),
            "journal: " + folder_.file("none") + ": unable to open database file");
}

TEST(ProcessIdentity, IsOfAProcessThatRuns) {
  EXPECT_TRUE(is_alive(own_identity()));
  std::string other_start = own_identity();
  other_start.back() = other_start.back() == '1' ? '2' : '1';
  EXPECT_FALSE(is_alive(other_start)) << "the number, used again";
  EXPECT_FALSE(is_alive("boot:999999999:1"));
  EXPECT_FALSE(is_alive(""));
}

}  // namespace
}  // namespace flashcore::tune
