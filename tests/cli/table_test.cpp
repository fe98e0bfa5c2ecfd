#include "cli/table.h"

#include <gtest/gtest.h>

#include "cli/progress.h"
#include "core/error.h"

namespace flashcore::cli {
namespace {

TEST(Table, AlignsNumbersRightAndTextLeftWithoutTrailingBlanks) {
  Table table({{"variant"}, {"us", Align::right}, {"gates"}});
  table.add_row({"cpu", "1234.5", "ok"});
  table.add_row({"v12_baseline", "9.3"});
  EXPECT_EQ(table.to_string(),
            "variant           us  gates\n"
            "------------  ------  -----\n"
            "cpu           1234.5  ok\n"
            "v12_baseline     9.3\n");
}

TEST(Table, CountsCodePointsAndNotBytes) {
  Table table({{"µs", Align::right}, {"x"}});
  table.add_row({"1", "y"});
  EXPECT_EQ(table.to_string(), "µs  x\n--  -\n 1  y\n");
}

TEST(Table, RefusesARowWithMoreCellsThanColumns) {
  Table table({{"only"}});
  EXPECT_THROW(table.add_row({"a", "b"}), core::Error);
}

TEST(Progress, FormatsDurationsForPeople) {
  EXPECT_EQ(format_seconds(3.2), "3 s");
  EXPECT_EQ(format_seconds(125), "2 min 05 s");
  EXPECT_EQ(format_seconds(3720), "1 h 02 min");
}

TEST(Progress, WritesNothingWhereStderrIsNoTerminal) {
  testing::internal::CaptureStderr();
  {
    Progress progress(3, "measuring");
    progress.note("cpu");
    progress.advance();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace flashcore::cli
