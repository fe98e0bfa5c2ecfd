// Children that crash, hang, print garbage and leave; the parent is told what each did.
#include "bench/child.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "support/temp_dir.h"

namespace flashcore::bench {
namespace {

using nlohmann::json;
using std::chrono::duration;

std::vector<std::string> shell(const std::string& script) {
  return {"sh", "-c", script};
}

std::string failure_of(const std::vector<std::string>& command, double limit_s = 10) {
  try {
    Child child(command);
    child.ask({{"do", "something"}}, duration<double>(limit_s));
  } catch (const ChildFailure& failure) {
    return failure.what();
  }
  return "answered";
}

TEST(Child, AnswersAndReportsProgress) {
  Child child(shell(
      R"(read request; echo '{"progress": "half"}'; echo "{\"ok\": true, \"request\": $request}")"));
  std::string progress;
  const json answer = child.ask({{"do", "something"}}, duration<double>(10),
                                [&](std::string_view text) { progress = text; });
  EXPECT_EQ(answer["request"]["do"], "something");
  EXPECT_EQ(progress, "half");
}

TEST(Child, ASignalIsNamedWithWhatWasSaidLast) {
  EXPECT_EQ(failure_of(shell("read r; echo first >&2; echo last words >&2; kill -SEGV $$")),
            "crashed with SIGSEGV (last words)");
}

TEST(Child, AnEarlyExitIsReportedWithItsStatus) {
  EXPECT_EQ(failure_of(shell("read r; exit 7")), "exited with status 7 and no answer");
}

TEST(Child, AHangEndsAtTheLimit) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(failure_of(shell("sleep 60"), 0.3), "gave no answer within 0.3 s and was stopped");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(Child, EndlessProgressDoesNotOutliveTheLimit) {
  EXPECT_EQ(
      failure_of(shell(R"(while :; do echo '{"progress": "still here"}'; sleep 0.05; done)"), 0.4),
      "gave no answer within 0.4 s and was stopped");
}

TEST(Child, GarbageIsQuotedAndHarmless) {
  EXPECT_EQ(failure_of(shell("read r; echo 'Segmentation fault'; sleep 60")),
            "answered with what is not a reply: 'Segmentation fault'");
  EXPECT_EQ(failure_of(shell("read r; echo '{\"result\": 1}'; sleep 60")),
            "answered with what is not a reply: '{\"result\": 1}'");
  EXPECT_EQ(failure_of(shell("read r; echo; sleep 60")), "answered with what is not a reply: ' '");
}

TEST(Child, OutputWithoutEndIsCutOff) {
  EXPECT_EQ(failure_of(shell("exec tr '\\0' x < /dev/zero")), "writes without end");
}

TEST(Child, AClosedInputIsNotTheEndOfIt) {
  Child child(shell("exec < /dev/null; sleep 0.2; echo '{\"ok\": true}'; sleep 60"));
  usleep(100'000);  // so that the request finds the input closed
  EXPECT_EQ(child.ask({{"do", "something"}}, duration<double>(10))["ok"], true);
}

TEST(Child, AProgramThatIsNotThereCannotBeStarted) {
  EXPECT_EQ(failure_of({"/nonexistent/program"}),
            "/nonexistent/program cannot be started: No such file or directory");
}

TEST(Child, WhatItStartedIsStoppedWithIt) {
  const test::TempDir directory;
  const std::string pid_file = directory.file("pid");
  EXPECT_NE(failure_of(shell("sleep 60 & echo $! > " + pid_file + "; read r; wait"), 0.5),
            "answered");
  const pid_t grandchild = std::stoi(test::read_text(pid_file));
  for (int i = 0; i < 100 && kill(grandchild, 0) == 0; ++i) usleep(20'000);
  // Gone, or a zombie that its new parent has not reaped yet.
  if (kill(grandchild, 0) == 0) {
    const std::string stat = test::read_text("/proc/" + std::to_string(grandchild) + "/stat");
    EXPECT_NE(stat.find(") Z"), std::string::npos) << stat;
  }
}

TEST(Child, IsDeadAfterAFailureAndSaysSo) {
  Child child(shell("exit 3"));
  EXPECT_THROW(child.ask({}, duration<double>(5)), ChildFailure);
  EXPECT_FALSE(child.alive());
  EXPECT_THROW(child.ask({}, duration<double>(5)), ChildFailure);
}

}  // namespace
}  // namespace flashcore::bench
