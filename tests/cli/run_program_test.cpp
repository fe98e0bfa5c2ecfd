// Running a program from a test tells what it printed and how it ended.
#include <gtest/gtest.h>

#include "support/command.h"

namespace flashcore {
namespace {

using test::run_program;

TEST(RunProgram, ReturnsStreamsAndExitCode) {
  const auto result =
      run_program("sh", {"-c", "echo out $WORD; echo err >&2; exit 7"}, {"WORD=given"});
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(result.out, "out given\n");
  EXPECT_EQ(result.err, "err\n");
}

TEST(RunProgram, ReportsTheSignalThatEndedIt) {
  EXPECT_EQ(run_program("sh", {"-c", "kill -11 $$"}).exit_code, -11);
}

}  // namespace
}  // namespace flashcore
