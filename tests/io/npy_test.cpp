#include "io/npy.h"

#include <gtest/gtest.h>

#include <string_view>

#include "io_test_tools.h"
#include "support/temp_dir.h"

namespace flashcore::io {
namespace {

using test::bytes_of;
using test::contains;
using test::error_of;

/// A .npy file of this version with this header, and `data` after it.
std::string npy(std::string_view header, std::string_view data, char version = 1) {
  const std::size_t length = header.size();
  std::string bytes = "\x93NUMPY";
  bytes += {version, '\0', static_cast<char>(length & 0xFF), static_cast<char>(length >> 8)};
  if (version > 1) bytes += std::string(2, '\0');
  return bytes.append(header).append(data);
}

std::string header(std::string_view descr, std::string_view shape,
                   std::string_view fortran = "False") {
  return fmt::format("{{'descr': {}, 'fortran_order': {}, 'shape': {}, }}\n", descr, fortran,
                     shape);
}

class Npy : public ::testing::Test {
 protected:
  std::string write(std::string_view bytes) {
    test::write_text(file_, bytes);
    return file_;
  }
  std::string error_for(std::string_view bytes) {
    write(bytes);
    const std::string message = error_of([&] { read_npy(file_); });
    EXPECT_TRUE(message == "no error" || message.starts_with(file_)) << message;
    return message;
  }

  test::TempDir directory_;
  std::string file_ = directory_.file("x.npy");
};

core::HostTensor ramp(core::Dtype dtype, std::int64_t elements) {
  core::HostTensor tensor(dtype, elements);
  for (std::int64_t i = 0; i < elements; ++i) tensor.set(i, static_cast<float>(i) / 8.0F);
  return tensor;
}

TEST_F(Npy, EveryDtypeAndRankSurvivesARoundTrip) {
  for (const core::Dtype dtype : core::all_dtypes) {
    for (const Shape& shape : {Shape{}, Shape{5}, Shape{2, 3}, Shape{0, 4}, Shape{1, 2, 3, 4}}) {
      const auto size = core::size_of(dtype);
      const auto elements = checked_bytes("", shape, size) / static_cast<std::int64_t>(size);
      const Array written{shape, ramp(dtype, elements)};
      OutputFile output{file_};
      write_npy(output, view(written));
      output.commit();

      const Array read = read_npy(file_);
      EXPECT_EQ(read.shape, shape);
      EXPECT_EQ(read.tensor.dtype(), dtype);
      ASSERT_EQ(read.tensor.elements(), elements);
      EXPECT_EQ(bytes_of(read), bytes_of(written));
    }
  }
}

TEST_F(Npy, WritesWhatNumpyWrites) {
  const Array array{{1, 2}, ramp(core::Dtype::bfloat16, 2)};
  OutputFile output{file_};
  write_npy(output, view(array));
  output.commit();
  const std::string bytes = test::read_text(file_);
  const std::string_view start{bytes.data(), 128};
  EXPECT_EQ(bytes.size(), 128U + 4U);
  EXPECT_EQ(start.substr(0, 10), std::string_view("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_TRUE(
      start.substr(10).starts_with("{'descr': '<V2', 'fortran_order': False, "
                                   "'shape': (1, 2), }   "));
  EXPECT_TRUE(start.ends_with(" \n"));
}

TEST_F(Npy, ReadsVersionsOneToThreeAndKeysInAnyOrder) {
  const std::string data(8, '\0');
  for (const char version : {'\1', '\2', '\3'})
    EXPECT_EQ(read_npy(write(npy(header("'<f2'", "(2, 2)"), data, version))).shape, (Shape{2, 2}));
  const Array read =
      read_npy(write(npy("{\"shape\":(2,),'fortran_order':False,'descr':'<f4'}", data)));
  EXPECT_EQ(read.tensor.dtype(), core::Dtype::float32);
}

TEST_F(Npy, ReadsEverySpellingOfBfloat16) {
  for (const char* descr : {"'<V2'", "'|V2'", "'bfloat16'"}) {
    const Array read = read_npy(write(npy(header(descr, "(1,)"), {"\x80\x3F", 2})));
    EXPECT_EQ(read.tensor.dtype(), core::Dtype::bfloat16);
    EXPECT_EQ(read.tensor.at(0), 1.0F);
  }
}

TEST_F(Npy, FortranOrderOfAVectorIsCOrder) {
  EXPECT_EQ(read_npy(write(npy(header("'<f2'", "(2,)", "True"), "abcd"))).tensor.elements(), 2);
}

TEST_F(Npy, RefusesOtherDtypesAndSaysWhatToDo) {
  const auto message = [&](const char* descr) {
    return error_for(npy(header(descr, "(2, 2)"), std::string(32, '\0')));
  };
  EXPECT_TRUE(contains(message("'<f8'"), "astype('float32')"));
  EXPECT_TRUE(contains(message("'>f2'"), "big-endian"));
  EXPECT_TRUE(contains(message("'|O'"), "array of Python objects"));
  EXPECT_TRUE(contains(message("'<i4'"), "dtype \"<i4\": expected '<f2'"));
  EXPECT_TRUE(contains(message("[('a', '<f4'), ('b', '<f4')]"), "structured dtype"));
  EXPECT_TRUE(contains(message("'\x1b[2J'"), "dtype \"\\x1b[2J\""));  // nothing reaches a terminal
}

TEST_F(Npy, RefusesFortranOrder) {
  EXPECT_TRUE(contains(error_for(npy(header("'<f2'", "(2, 2)", "True"), "abcdefgh")),
                       "numpy.ascontiguousarray"));
}

TEST_F(Npy, RefusesDataOfAnotherSizeThanTheShape) {
  EXPECT_TRUE(contains(error_for(npy(header("'<f2'", "(2, 2)"), "abcdefg")),
                       "shape [2, 2] of fp16 needs 8 bytes of data, the file has 7"));
  EXPECT_TRUE(contains(error_for(npy(header("'<f2'", "(2, 2)"), "abcdefghi")),
                       "needs 8 bytes of data, the file has 9"));
  EXPECT_TRUE(contains(error_for(npy(header("'<f2'", "(1000000000000,)"), "")),
                       "needs 2000000000000 bytes of data, the file has 0"));
}

TEST_F(Npy, RefusesImpossibleShapes) {
  const auto message = [&](const char* shape) {
    return error_for(npy(header("'<f4'", shape), ""));
  };
  EXPECT_TRUE(contains(message("(-1, 4)"), "negative dimension -1"));
  EXPECT_TRUE(contains(message("(4294967296, 4294967296)"), "more than 2^63 bytes"));
  EXPECT_TRUE(contains(message("(0, 4294967296, 4294967296)"), "more than 2^63 bytes"));
  EXPECT_TRUE(contains(message("(99999999999999999999,)"), "a dimension below 2^63"));
  EXPECT_TRUE(contains(message("(4)"), "a tuple"));
  EXPECT_TRUE(contains(message("(4.0,)"), "expected ')'"));
  EXPECT_TRUE(contains(message("(,)"), "an integer"));
  EXPECT_TRUE(contains(message("4"), "expected '('"));
}

TEST_F(Npy, RefusesHeadersThatNumpyDoesNotWrite) {
  const auto message = [&](const char* text) { return error_for(npy(text, "")); };
  EXPECT_TRUE(contains(message(""), "expected '{', found \"\""));
  EXPECT_TRUE(contains(message("{}"), "no 'descr'"));
  EXPECT_TRUE(contains(message("{'descr': '<f2', 'shape': (0,)}"), "no 'fortran_order'"));
  EXPECT_TRUE(contains(message("{'descr': '<f2', 'descr': '<f2'}"), "\"descr\" twice"));
  EXPECT_TRUE(contains(message("{'x': '<f2'}"), "unknown key \"x\""));
  EXPECT_TRUE(contains(message("{'fortran_order': 0}"), "True or False"));
  EXPECT_TRUE(contains(message("{'descr': '<f2"), "a closing quote"));
  EXPECT_TRUE(contains(message("{'descr': __import__('os')}"), "a quoted string"));
  EXPECT_TRUE(contains(message("{'descr': '<f2', 'fortran_order': False, 'shape': (0,)} + 1"),
                       "nothing after the closing brace"));
}

TEST_F(Npy, RefusesAHeaderThatLiesAboutItsLength) {
  std::string bytes = npy(header("'<f2'", "(0,)"), "");
  bytes[9] = '\x01';
  EXPECT_TRUE(contains(error_for(bytes), "header claims"));
  bytes = npy(header("'<f2'", "(0,)"), "", 2);
  bytes[11] = '\x7F';
  EXPECT_TRUE(contains(error_for(bytes), "at most 65536 are read"));
}

TEST_F(Npy, RefusesEveryTruncation) {
  const std::string whole = npy(header("'<f2'", "(2, 2)"), "abcdefgh");
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(error_for(whole.substr(0, length)), "no error") << length << " bytes";
}

TEST_F(Npy, SaysWhatAnotherKindOfFileIs) {
  EXPECT_TRUE(contains(error_for(""), "the file is empty"));
  EXPECT_TRUE(contains(error_for("PK\3\4 and more"), ".npz"));
  EXPECT_TRUE(contains(error_for("\x80\x04\x95 and more"), "pickle"));
  EXPECT_TRUE(contains(error_for({"\x02\0\0\0\0\0\0\0{}      ", 16}), "--input"));
  EXPECT_TRUE(contains(error_for("hello, world"), "does not start with \\x93NUMPY"));
  EXPECT_TRUE(contains(error_for({"\x93NUMPY\x09\0\0\0\0\0\0", 13}), "version 9"));
}

TEST_F(Npy, RefusesWhatIsNoRegularFile) {
  EXPECT_TRUE(contains(error_of([&] { read_npy(directory_.path()); }), "a directory"));
  EXPECT_TRUE(contains(error_of([] { read_npy("/dev/null"); }), "a device or a pipe"));
  EXPECT_TRUE(contains(error_of([&] { read_npy(directory_.file("absent.npy")); }),
                       "absent.npy: cannot open: No such file"));
}

}  // namespace
}  // namespace flashcore::io
