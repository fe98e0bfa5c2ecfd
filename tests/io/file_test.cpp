#include "io/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <stdexcept>

#include "io_test_tools.h"
#include "support/temp_dir.h"

namespace flashcore::io {
namespace {

using test::contains;
using test::error_of;
using test::read_text;
using test::write_text;

void write_file(const std::string& path, std::string_view text) {
  OutputFile output{path};
  output.write(text.data(), text.size());
  output.commit();
}

TEST(OutputFile, AppearsOnlyWhenCommitted) {
  const test::TempDir directory;
  {
    OutputFile output{directory.file("o.npy")};
    output.write("half", 4);
    EXPECT_FALSE(std::filesystem::exists(directory.file("o.npy")));
    output.write("whole", 5);
    output.commit();
  }
  EXPECT_EQ(directory.listing(), "o.npy");
  EXPECT_EQ(read_text(directory.file("o.npy")), "halfwhole");
}

TEST(OutputFile, AFailureLeavesTheOldFileAndNothingElse) {
  const test::TempDir directory;
  write_text(directory.file("o.npy"), "old");
  try {
    OutputFile output{directory.file("o.npy")};
    output.write("new", 3);
    throw std::runtime_error("something else failed");
  } catch (const std::runtime_error&) {
  }
  EXPECT_EQ(directory.listing(), "o.npy");
  EXPECT_EQ(read_text(directory.file("o.npy")), "old");
}

TEST(OutputFile, HasThePermissionsOfAnyNewFile) {
  const test::TempDir directory;
  const mode_t mask = ::umask(022);
  write_file(directory.file("o"), "x");
  ::umask(mask);
  struct stat status {};
  ASSERT_EQ(::stat(directory.file("o").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0644U);
}

TEST(OutputFile, FollowsASymbolicLink) {
  const test::TempDir directory;
  write_text(directory.file("real"), "old");
  std::filesystem::create_symlink("real", directory.file("link"));
  write_file(directory.file("link"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(directory.file("link")));
  EXPECT_EQ(read_text(directory.file("real")), "new");
}

TEST(OutputFile, RefusesWhatIsNoRegularFile) {
  const test::TempDir directory;
  EXPECT_TRUE(contains(error_of([] { OutputFile{"/dev/null"}; }), "not a regular file"));
  EXPECT_TRUE(contains(error_of([&] { OutputFile{directory.path()}; }), "it is a directory"));
  EXPECT_TRUE(contains(error_of([&] { OutputFile{directory.file("absent/o.npy")}; }),
                       "absent/o.npy: cannot write: No such file or directory"));
}

TEST(MakeFolder, MakesThoseAroundItTooAndNamesTheOptionWhereItCannot) {
  const test::TempDir directory;
  make_folder(directory.file("a/b"), "out");
  make_folder(directory.file("a/b"), "out");
  EXPECT_TRUE(std::filesystem::is_directory(directory.file("a/b")));
  write_text(directory.file("file"), "kept");
  EXPECT_TRUE(contains(error_of([&] { make_folder(directory.file("file/b"), "plot"); }),
                       "plot: " + directory.file("file/b") + " cannot be made"));
  EXPECT_EQ(read_text(directory.file("file")), "kept");
}

}  // namespace
}  // namespace flashcore::io
