#include "jit/cache.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "support/temp_dir.h"

namespace flashcore::jit {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const KernelSpec cached_spec{"demo/kernel.cuh", "demo<1>"};
constexpr core::Arch cached_arch{8, 0};
constexpr std::uint64_t cached_hash = 7, cached_key = 11;

PackEntry entry(std::size_t cubin_bytes = 64) {
  return {.source_hash = cached_hash,
          .spec = cached_spec,
          .arch = cached_arch,
          .nvrtc_version = {13, 0},
          .binary = {.cubin = std::vector<std::uint8_t>(cubin_bytes, 0x5a),
                     .symbol = "_Zdemo",
                     .report = {.registers = 9}}};
}

class CacheTest : public ::testing::Test {
 protected:
  [[nodiscard]] bool found(Cache& cache) const {
    const auto entry = cache.find(cached_key, cached_hash, cached_spec, cached_arch);
    return entry && entry->binary.symbol == "_Zdemo" && entry->binary.cubin.size() == 64;
  }

  test::TempDir outside_;
  fs::path directory_ = outside_.path() / "deep" / "cache";
  Cache cache_{directory_};
};

TEST_F(CacheTest, KeepsAnEntryInADirectoryOfTheUsersOwn) {
  EXPECT_EQ(cache_.problem(), "");
  EXPECT_FALSE(found(cache_));
  EXPECT_FALSE(fs::exists(directory_));  // looking makes nothing
  cache_.keep(cached_key, entry());
  EXPECT_TRUE(found(cache_));
  EXPECT_EQ(cache_.problem(), "");
  struct stat status {};
  ASSERT_EQ(stat(directory_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(CacheTest, ServesAnEntryOnlyForTheKernelItHolds) {
  cache_.keep(cached_key, entry());
  EXPECT_FALSE(cache_.find(cached_key, cached_hash + 1, cached_spec, cached_arch));
  EXPECT_FALSE(cache_.find(cached_key, cached_hash, {cached_spec.entry, "demo<2>"}, cached_arch));
  EXPECT_FALSE(cache_.find(cached_key, cached_hash, cached_spec, {9, 0}));
  EXPECT_FALSE(cache_.find(cached_key + 1, cached_hash, cached_spec, cached_arch));
}

TEST_F(CacheTest, TakesADamagedEntryForNoneAndReplacesIt) {
  cache_.keep(cached_key, entry());
  const fs::path file = fs::directory_iterator(directory_)->path();
  const std::string whole = test::read_text(file);
  for (const std::string& damaged : {std::string(), whole.substr(0, whole.size() - 1), whole + "x",
                                     std::string(whole.size(), 0)}) {
    test::write_text(file, damaged);
    EXPECT_FALSE(found(cache_));
    cache_.keep(cached_key, entry());
    EXPECT_TRUE(found(cache_));
  }
}

TEST_F(CacheTest, RefusesADirectoryThatOthersCanWrite) {
  cache_.keep(cached_key, entry());
  for (const mode_t mode : {0770, 0702, 0777, 01777}) {
    ASSERT_EQ(chmod(directory_.c_str(), mode), 0);
    EXPECT_FALSE(found(cache_)) << mode;
    EXPECT_THAT(cache_.problem(), HasSubstr("others can write to it"));
  }
  cache_.keep(cached_key + 1, entry());
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1) << "kept nothing there";
  ASSERT_EQ(chmod(directory_.c_str(), 0755), 0);
  EXPECT_TRUE(found(cache_));
}

TEST_F(CacheTest, RefusesALinkToADirectoryThatOthersCanWrite) {
  const fs::path open = outside_.path() / "open";
  fs::create_directory(open);
  ASSERT_EQ(chmod(open.c_str(), 0777), 0);
  const fs::path link = outside_.path() / "link";
  fs::create_directory_symlink(open, link);
  Cache cache(link);
  cache.keep(cached_key, entry());
  EXPECT_THAT(cache.problem(), HasSubstr("others can write to it"));
  EXPECT_TRUE(fs::is_empty(open));
}

TEST_F(CacheTest, RefusesAnEntryThatOthersCanWriteOrThatIsALink) {
  cache_.keep(cached_key, entry());
  const fs::path file = fs::directory_iterator(directory_)->path();
  ASSERT_EQ(chmod(file.c_str(), 0666), 0);
  EXPECT_FALSE(found(cache_));
  ASSERT_EQ(chmod(file.c_str(), 0600), 0);
  EXPECT_TRUE(found(cache_));
  fs::rename(file, outside_.path() / "elsewhere");
  fs::create_symlink(outside_.path() / "elsewhere", file);
  EXPECT_FALSE(found(cache_));
}

TEST_F(CacheTest, RefusesADirectoryOfAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a directory away";
  cache_.keep(cached_key, entry());
  ASSERT_EQ(chown(directory_.c_str(), 65534, 65534), 0);
  EXPECT_FALSE(found(cache_));
  EXPECT_THAT(cache_.problem(), HasSubstr("owned by user 65534"));
}

TEST_F(CacheTest, SaysWhenThereIsNowhereToKeepAnything) {
  Cache nowhere{fs::path()};
  nowhere.keep(cached_key, entry());
  EXPECT_FALSE(found(nowhere));
  EXPECT_THAT(nowhere.problem(), HasSubstr("none of FLASHCORE_CACHE_DIR"));

  test::write_text(outside_.file("file"), "in the way");
  Cache blocked{outside_.path() / "file" / "cache"};
  blocked.keep(cached_key, entry());
  EXPECT_THAT(blocked.problem(), HasSubstr("file/cache: cannot be made: Not a directory"));
}

TEST_F(CacheTest, AFullDiskIsAProblemToTellAndNothingIsLeftBehind) {
  cache_.keep(cached_key, entry());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  cache_.keep(cached_key + 1, entry(100000));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(cache_.problem(), HasSubstr("could not be written"));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1);
  EXPECT_TRUE(found(cache_));
  cache_.keep(cached_key + 1, entry());
  EXPECT_EQ(cache_.problem(), "");
}

TEST_F(CacheTest, ProcessesThatWriteTheSameEntryAtOnceNeverShowAHalfWrittenOne) {
  std::vector<pid_t> writers;
  for (int i = 0; i < 3; ++i) {
    const pid_t pid = fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      Cache own(directory_);
      for (int round = 0; round < 100; ++round) own.keep(cached_key, entry());
      _exit(own.problem().empty() && own.find(cached_key, cached_hash, cached_spec, cached_arch)
                ? 0
                : 1);
    }
    writers.push_back(pid);
  }
  int seen = 0;
  for (int round = 0; round < 300; ++round) {
    const bool there = found(cache_);
    EXPECT_TRUE(there || seen == 0) << "an entry that was there is gone";
    seen += there ? 1 : 0;
  }
  for (const pid_t pid : writers) {
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  EXPECT_TRUE(found(cache_));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 1) << "temporary files remain";
}

}  // namespace
}  // namespace flashcore::jit
