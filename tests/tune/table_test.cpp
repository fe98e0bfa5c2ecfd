#include "tune/table.h"

#include <gtest/gtest.h>

#include "landscape.h"
#include "support/message_of.h"
#include "support/temp_dir.h"

namespace flashcore::tune {
namespace {

using flashcore::test::message_of;
using flashcore::test::TempDir;
using flashcore::test::write_text;

std::string small_table() {
  std::vector<family::ConfigFields> configs;
  for (const int stages : {1, 2, 3}) configs.push_back(test::config_of(16, 16, 1, stages, 1));
  return to_text(test::table_of_space(Space(configs, configs.front()), test::hilly));
}

TEST(Table, SurvivesItsFileAndBack) {
  const TempDir folder;
  write_text(folder.file("t.jsonl"), small_table());
  const Table table = read_table(folder.file("t.jsonl"));
  EXPECT_EQ(table.family, "made_up");
  EXPECT_EQ(table.rows.size(), 3U);
  EXPECT_EQ(to_text(table), small_table());
}

TEST(Table, ASearchOnItFindsWhatTheLandscapeHas) {
  const Space space = test::hilly_space();
  const Replay replay(test::table_of_space(space, test::mostly_crashing));
  EXPECT_EQ(replay.space().size(), space.size());
  SearchOptions options;
  options.seed = 3;
  const SearchResult direct = search(space, options, test::each(space, test::mostly_crashing));
  const SearchResult replayed =
      search(replay.space(), options,
             [&](std::span<const std::size_t> batch, int) { return replay.evaluate(batch); });
  EXPECT_EQ(space.config(direct.evaluations[*direct.best].index),
            replay.space().config(replayed.evaluations[*replayed.best].index));
}

TEST(Table, MalformedFilesAreRefusedByLineAndPlace) {
  const TempDir folder;
  const std::string path = folder.file("t.jsonl");
  const std::string good = small_table();
  const std::string header = good.substr(0, good.find('\n') + 1);
  const std::string row =
      good.substr(header.size(), good.find('\n', header.size()) + 1 - header.size());
  const auto message = [&](const std::string& text) {
    write_text(path, text);
    const std::string whole = message_of([&] { read_table(path); });
    return whole.starts_with(path) ? whole.substr(path.size()) : whole;
  };
  EXPECT_EQ(message(""), ": is empty");
  EXPECT_EQ(message("{}\n"), ":1: flashcore_table is missing");
  EXPECT_EQ(message(header + "oops\n"), ":2: is not JSON");
  EXPECT_EQ(message(good.substr(0, good.size() - 20)), ":4: is not JSON") << "cut off mid-write";
  EXPECT_EQ(message(header + row + row),
            ": head_dim=64,block_q=16,block_kv=16,warps=1,stages=1,"
            "splits=1 is there twice");
  EXPECT_EQ(message(header),
            ": has no row for the start, head_dim=64,block_q=16,block_kv=16,"
            "warps=1,stages=1,splits=1");
  EXPECT_EQ(message(header + R"({"config":"x=1","cause":"none"})" + "\n"),
            ":2: config: unknown field x; the fields are head_dim=64,block_q=16,block_kv=16,"
            "warps=1,stages=1,splits=1");
  EXPECT_EQ(message_of([&] { read_table(folder.file("none")); }),
            folder.file("none") + ": cannot be read");
}

}  // namespace
}  // namespace flashcore::tune
