#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <string>

#include "support/command.h"
#include "support/temp_dir.h"

namespace flashcore::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

json info(const std::vector<std::string>& environment = {}) {
  const CommandResult result = run_command({"info", "--json"}, environment);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return json::parse(result.out);
}

TEST(Info, ListsFamiliesAndVariantsAndThatTheCpuRunsEverywhere) {
  const json answer = info();
  EXPECT_EQ(answer["families"][0]["name"], "forward_scalar");
  EXPECT_EQ(answer["variants"][0]["name"], "cpu");
  EXPECT_TRUE(answer["variants"][0]["runs_here"].get<bool>());
  EXPECT_GT(answer["cpu"]["threads"].get<int>(), 0);
}

TEST(Info, SaysWhichCommitItWasBuiltFrom) {
  const json commit = info()["commit"];
  const std::string text = run_command({"info"}).out;
  if (commit["id"].is_null()) {  // built where git is not
    EXPECT_TRUE(commit["dirty"].is_null());
    EXPECT_THAT(text, Not(HasSubstr("commit")));
    return;
  }
  const auto id = commit["id"].get<std::string>();
  EXPECT_THAT(id, MatchesRegex("[0-9a-f]{40,64}"));
  EXPECT_THAT(text, HasSubstr(", commit " + id.substr(0, 7)));
  EXPECT_EQ(text.find(", changed\n") != std::string::npos, commit["dirty"].get<bool>());
}

TEST(Info, NamesTheDriverFileThatIsMissing) {
  const json answer = info({"FLASHCORE_LIBCUDA=/no/such/libcuda.so"});
  EXPECT_FALSE(answer["driver"]["available"].get<bool>());
  EXPECT_THAT(answer["driver"]["reason"].get<std::string>(), HasSubstr("/no/such/libcuda.so"));
  EXPECT_THAT(answer["variants"][1]["reason"].get<std::string>(), HasSubstr("/no/such/libcuda.so"));
}

TEST(Info, SaysWhatADriverFileLacks) {
  const json answer = info({"FLASHCORE_LIBCUDA=libm.so.6"});
  EXPECT_THAT(answer["driver"]["reason"].get<std::string>(), HasSubstr("libm.so.6 has no cuInit"));
}

TEST(Info, NamesTheCompilerFileThatDoesNotLoadAndTriesNoOther) {
  const json answer = info({"FLASHCORE_NVRTC=/no/such/libnvrtc.so"});
  EXPECT_FALSE(answer["nvrtc"]["available"].get<bool>());
  EXPECT_THAT(answer["nvrtc"]["reason"].get<std::string>(), HasSubstr("/no/such/libnvrtc.so"));
}

TEST(Info, SaysWhyACacheIsNotUsed) {
  const TempDir directory;
  std::filesystem::permissions(directory.path(), std::filesystem::perms::all);
  const json answer = info({"FLASHCORE_CACHE_DIR=" + directory.path().string()});
  EXPECT_THAT(answer["cache"]["problem"].get<std::string>(), HasSubstr("others can write to it"));
  EXPECT_EQ(answer["cache"]["directory"], directory.path().string());
}

TEST(Info, SaysWhyAPackIsNotUsed) {
  const TempDir directory;
  const std::string pack = directory.file("broken.pack");
  write_text(pack, "FLASHPK2 and then nothing");
  const json answer = info({"FLASHCORE_PACK=" + pack});
  ASSERT_EQ(answer["packs"].size(), 1U);
  EXPECT_THAT(answer["packs"][0]["problem"].get<std::string>(), HasSubstr(pack + ": cut short"));
}

TEST(Info, PrintsTheSameForPeopleAndOnlyNamesForScripts) {
  const CommandResult text = run_command({"info"}, {"FLASHCORE_LIBCUDA=/no/such/libcuda.so"});
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_THAT(text.out, HasSubstr("v12_baseline does not run here"));
  const CommandResult names =
      run_command({"info", "--runnable"}, {"FLASHCORE_LIBCUDA=/no/such/libcuda.so"});
  EXPECT_EQ(names.out, "cpu\n");
}

}  // namespace
}  // namespace flashcore::test
