#include "io/process.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "support/message_of.h"
#include "support/temp_dir.h"

namespace flashcore::io {
namespace {

namespace fs = std::filesystem;

void make_program(const fs::path& path) {
  fs::create_directories(path.parent_path());
  test::write_text(path, "#!/bin/sh\nexit 0\n");
  fs::permissions(path, fs::perms::owner_all);
}

TEST(Process, ReturnsWhatItSaidAndHowItEnded) {
  const ProcessResult result =
      run_process({"sh", "-c", "echo out; echo err >&2; exit 3"}, std::chrono::seconds(10));
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.output, "out\nerr\n");
  EXPECT_FALSE(result.succeeded());
}

TEST(Process, ASignalIsANegativeStatus) {
  EXPECT_EQ(run_process({"sh", "-c", "kill -9 $$"}, std::chrono::seconds(10)).exit_code, -9);
}

TEST(Process, IsStoppedAtTheLimitWithWhatItStarted) {
  const auto start = std::chrono::steady_clock::now();
  const ProcessResult result =
      run_process({"sh", "-c", "sleep 60 & sleep 60"}, std::chrono::milliseconds(200));
  EXPECT_TRUE(result.stopped);
  EXPECT_FALSE(result.succeeded());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST(Process, AProgramThatIsNotThereIsNamed) {
  EXPECT_EQ(test::message_of([] { run_process({"/nonexistent/ncu"}, std::chrono::seconds(1)); }),
            "/nonexistent/ncu: cannot be started: No such file or directory");
}

TEST(FindProgram, LooksInPathAndThenTakesTheNewestOfAPattern) {
  const test::TempDir directory;
  make_program(directory.path() / "tool-2024.1" / "no_such_tool");
  make_program(directory.path() / "tool-2025.3" / "no_such_tool");
  test::write_text(directory.file("other"), "");
  EXPECT_EQ(find_program("sh").filename(), "sh");
  const std::vector<std::string> patterns{directory.file("none/*/no_such_tool"),
                                          directory.file("tool-*/no_such_tool")};
  EXPECT_EQ(find_program("no_such_tool", patterns),
            directory.path() / "tool-2025.3" / "no_such_tool");
  EXPECT_EQ(find_program("no_such_tool"), "");
}

}  // namespace
}  // namespace flashcore::io
