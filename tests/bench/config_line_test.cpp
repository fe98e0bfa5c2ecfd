#include "bench/config_line.h"

#include <gtest/gtest.h>

#include <sstream>

#include "core/error.h"

namespace flashcore::bench {
namespace {

ConfigLine read_line(const std::string& text) {
  std::istringstream in(text + '\n');
  return read_config_lines(in).at(0);
}

TEST(ConfigLine, HasAProblemAConfigAndOnceItWasTimedATime) {
  const ConfigLine line = read_line("causal_top_left b=1,h=2,s=3,d=64 family a=1,b=2 4.5");
  EXPECT_EQ(line.problem().to_string(), "fp16 b=1 h=2 s=3 d=64 mask=causal_top_left");
  EXPECT_EQ(line.text(), "causal_top_left b=1,h=2,s=3,d=64 family a=1,b=2");
  EXPECT_EQ(line.us, 4.5);
  EXPECT_EQ(read_line(line.text()).us, std::nullopt);
  EXPECT_EQ(read_line(line.text() + " not timed: no GPU").us, std::nullopt);
}

TEST(ConfigLine, WithoutFieldsIsTheDefaultConfigs) {
  EXPECT_EQ(read_line("none b=1 family").text(), "none b=1 family");
}

TEST(ConfigLine, WhatIsWrongIsSaidWhenTheProblemIsAskedFor) {
  EXPECT_THROW((void)read_line("causal b=1 family").problem(), core::Error);
  EXPECT_THROW((void)read_line("none b=one family").problem(), core::Error);
  EXPECT_THROW((void)read_line("").problem(), core::Error);
}

}  // namespace
}  // namespace flashcore::bench
