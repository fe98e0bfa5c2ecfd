#include "profile/ncu_csv.h"

#include <gtest/gtest.h>

#include "support/message_of.h"

namespace flashcore::profile {
namespace {

constexpr const char* header =
    R"("ID","Process ID","Kernel Name","Block Size","Grid Size","gpu__time_duration.sum","a.sum")";
constexpr const char* units = R"("","","","","","nsecond","")";

std::string output(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(SplitCsv, KeepsCommasInQuotesAndUndoublesQuotes) {
  EXPECT_EQ(split_csv(R"("a","1,234","say ""x""",plain,)"),
            (std::vector<std::string>{"a", "1,234", "say \"x\"", "plain", ""}));
}

TEST(NcuCsv, ReadsARowForEachKernelAmongTheMessages) {
  const auto samples = parse_ncu_csv(output(
      {"==PROF== Connected to process 7", "the program speaks", header, units,
       R"csv("0","7","void forward<Config{.a=1, .b=2}>(P)","(256, 1, 1)","(64, 1, 1)","1,843,200","0.5")csv",
       "==WARNING== late", R"csv("1","7","merge","(32, 1, 1)","(2,048, 1, 1)","4,210","7")csv",
       "==PROF== Disconnected"}));
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_EQ(samples[0].name, "void forward<Config{.a=1, .b=2}>(P)");
  EXPECT_EQ(samples[0].block, "(256, 1, 1)");
  EXPECT_EQ(samples[0].metrics.at("gpu__time_duration.sum"), 1843200);
  EXPECT_EQ(samples[0].metrics.at("a.sum"), 0.5);
  EXPECT_EQ(samples[1].grid, "(2,048, 1, 1)");
}

TEST(NcuCsv, AMetricWithoutANumberIsAbsent) {
  for (const char* value : {"n/a", "", "nan", "inf", "12 ms"}) {
    const auto samples = parse_ncu_csv(
        output({header, units, std::string{R"("0","7","k","","","1",")"} + value + "\""}));
    EXPECT_FALSE(samples.at(0).metrics.contains("a.sum")) << value;
  }
}

TEST(NcuCsv, CarriageReturnsAreNoPartOfAValue) {
  const auto samples =
      parse_ncu_csv(std::string{header} + "\r\n" + R"("0","7","k","","","1","2")" + "\r\n");
  EXPECT_EQ(samples.at(0).metrics.at("a.sum"), 2);
}

TEST(NcuCsv, WhatIsMalformedIsRefusedWithTheReason) {
  const auto message = [](const std::vector<std::string>& lines) {
    return test::message_of([&] { parse_ncu_csv(output(lines)); });
  };
  EXPECT_EQ(message({}), "there is no header row that begins with \"ID\"");
  EXPECT_EQ(message({"Segmentation fault"}), "there is no header row that begins with \"ID\"");
  EXPECT_EQ(message({header, units}), "no kernel's row follows the header");
  EXPECT_EQ(message({header, R"("0","7","k")"}),
            R"(a row of 3 fields under a header of 7: '"0","7","k"')");
  EXPECT_EQ(message({R"("ID","a.sum")", R"("0","1")"}), "the header row has no \"Kernel Name\"");
}

}  // namespace
}  // namespace flashcore::profile
