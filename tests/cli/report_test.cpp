#include <gtest/gtest.h>

#include "report/plot.h"
#include "support/command.h"
#include "support/temp_dir.h"

namespace flashcore {
namespace {

using test::run_command;

const std::string measured = FLASHCORE_SOURCE_DIR "/docs/data/2026-11-22_h100_v12_baseline.json";

TEST(ReportCommand, NamesWhatItWroteAndWhatItHadNothingFor) {
  if (report::find_gnuplot().empty()) GTEST_SKIP() << "gnuplot is not installed";
  const test::TempDir directory;
  const std::string out = directory.file("report");
  const auto result = run_command({"report", measured, "--out", out});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find(out + "/index.html"), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("not drawn: sweep"), std::string::npos) << result.out;
  EXPECT_NE(test::read_text(out + "/index.html").find("H100"), std::string::npos);
}

TEST(ReportCommand, WithoutGnuplotSaysSoAndWritesNothing) {
  const test::TempDir directory;
  const std::string out = directory.file("report");
  const auto result =
      run_command({"report", measured, "--out", out}, {"PATH=" + directory.path().string()});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_NE(result.err.find("gnuplot"), std::string::npos) << result.err;
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST(ReportCommand, BadFilesAndFoldersAreUsageErrors) {
  const test::TempDir directory;
  const auto expect_usage = [](const std::vector<std::string>& arguments, const char* message) {
    const auto result = run_command(arguments);
    EXPECT_EQ(result.exit_code, 2) << message;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
  };
  const std::string out = directory.file("out");
  expect_usage({"report", "/nonexistent.json", "--out", out}, "/nonexistent.json: cannot be read");
  expect_usage({"report", FLASHCORE_SOURCE_DIR "/tests/gate/data/malformed.json", "--out", out},
               "malformed.json: cases[0]");
  expect_usage({"report", measured}, "--out is required");
  if (report::find_gnuplot().empty()) return;
  expect_usage({"report", measured, "--out", "/proc/none"}, "/proc/none");
}

}  // namespace
}  // namespace flashcore
