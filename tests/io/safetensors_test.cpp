#include "io/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

#include "io_test_tools.h"
#include "support/temp_dir.h"

namespace flashcore::io {
namespace {

using test::bytes_of;
using test::contains;
using test::error_of;

std::string safetensors(std::string_view header, std::string_view data) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes.append(header).append(data);
}

class Safetensors : public ::testing::Test {
 protected:
  /// What opening the file, and then reading tensor "q", says.
  std::string error_for(std::string_view bytes) {
    test::write_text(file_, bytes);
    const std::string message = error_of([&] { SafetensorsFile(file_).read("q"); });
    EXPECT_TRUE(message == "no error" || message.starts_with(file_)) << message;
    return message;
  }
  std::string error_for_header(std::string_view header, std::string_view data = "") {
    return error_for(safetensors(header, data));
  }

  test::TempDir directory_;
  std::string file_ = directory_.file("x.safetensors");
};

constexpr const char* good = R"({"q":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})";

TEST_F(Safetensors, SurviveARoundTrip) {
  std::vector<std::pair<std::string, Array>> arrays;
  std::vector<std::pair<std::string, ArrayView>> views;
  for (const core::Dtype dtype : core::all_dtypes) {
    arrays.emplace_back("layer0." + std::string{core::name(dtype)},
                        Array{{3, 1, 5}, core::HostTensor(dtype, 15)});
    fill_normal(arrays.back().second.tensor, 7);
  }
  arrays.emplace_back("empty", Array{{0, 4}, core::HostTensor(core::Dtype::float16, 0)});
  for (const auto& [name, array] : arrays) views.emplace_back(name, view(array));
  OutputFile output{file_};
  write_safetensors(output, views);
  output.commit();

  const SafetensorsFile file{file_};
  EXPECT_EQ(file.names(),
            (std::vector<std::string>{"empty", "layer0.bf16", "layer0.fp16", "layer0.fp32"}));
  for (const auto& [name, array] : arrays) {
    const Array read = file.read(name);
    EXPECT_EQ(read.shape, array.shape);
    EXPECT_EQ(read.tensor.dtype(), array.tensor.dtype());
    ASSERT_EQ(read.tensor.bytes(), array.tensor.bytes());
    EXPECT_EQ(bytes_of(read), bytes_of(array)) << name;
  }
}

TEST_F(Safetensors, AcceptMetadataAndPadding) {
  EXPECT_EQ(error_for_header(R"({"__metadata__":{"model":"x"},"q":{"dtype":"F32","shape":[],)"
                             R"("data_offsets":[0,4]}}   )",
                             "abcd"),
            "no error");
}

TEST_F(Safetensors, TensorsOfOtherDtypesMatterOnlyWhenAskedFor) {
  const std::string header = R"({"q":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
                             R"("ids":{"dtype":"I64","shape":[1],"data_offsets":[4,12]},)"
                             R"("odd":{"dtype":"F4_NEW","shape":[8],"data_offsets":[12,16]}})";
  EXPECT_EQ(error_for_header(header, std::string(16, '\0')), "no error");
  EXPECT_TRUE(contains(error_of([&] { SafetensorsFile(file_).read("ids"); }),
                       "tensor \"ids\" has dtype \"I64\"; F16, BF16 and F32 are read"));
}

TEST_F(Safetensors, AMissingTensorIsNamedBesideThoseThere) {
  EXPECT_TRUE(contains(error_for_header(R"({"layer0.q":{"dtype":"F16","shape":[2],)"
                                        R"("data_offsets":[0,4]}})",
                                        "abcd"),
                       "no tensor \"q\"; there are: [\"layer0.q\"]"));
}

TEST_F(Safetensors, RefuseEveryTruncationAndTrailingBytes) {
  const std::string whole = safetensors(good, "abcd");
  EXPECT_EQ(error_for(whole), "no error");
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(error_for(whole.substr(0, length)), "no error") << length << " bytes";
  EXPECT_TRUE(contains(error_for(whole + "x"), "the tensors span 4 bytes, the file has 5"));
}

TEST_F(Safetensors, RefuseAHeaderLongerThanTheFile) {
  EXPECT_TRUE(contains(error_for(std::string(8, '\xFF') + "{}"),
                       "claims 18446744073709551615 bytes, the file has 2"));
  EXPECT_TRUE(contains(error_for("\x93NUMPY\1"), "it has 7 bytes, at least 8 are needed"));
}

TEST_F(Safetensors, RefuseHeadersThatAreNotTheFormats) {
  EXPECT_TRUE(contains(error_for_header("hello"), "not JSON"));
  EXPECT_TRUE(contains(error_for_header("[]"), "not a JSON object"));
  EXPECT_TRUE(contains(error_for_header(R"({"q":1})"), "tensor \"q\": has no dtype"));
  EXPECT_TRUE(contains(error_for_header(R"({"q":{"dtype":"F16","shape":[2]}})"),
                       "data_offsets is missing"));
  EXPECT_TRUE(contains(error_for_header(R"({"q":{"dtype":"F16","shape":2,"data_offsets":[0,4]}})"),
                       "shape is 2, not a list of integers"));
  EXPECT_TRUE(contains(error_for_header(std::string(1000, '[')), "nests deeper than"));
  const std::string twice = R"({"q":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
                            R"("q":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}})";
  EXPECT_TRUE(contains(error_for_header(twice, "abcd"), "the key \"q\" twice"));
}

TEST_F(Safetensors, RefuseOffsetsAndShapesThatDisagree) {
  const auto message = [&](std::string_view shape, std::string_view offsets) {
    return error_for_header(
        fmt::format(R"({{"q":{{"dtype":"F16","shape":{},"data_offsets":{}}}}})", shape, offsets),
        "abcd");
  };
  EXPECT_TRUE(
      contains(message("[3]", "[0,4]"), "shape [3] of F16 needs 6 bytes, its offsets span 4"));
  EXPECT_TRUE(contains(message("[2]", "[4,0]"), "ends before it"));
  EXPECT_TRUE(contains(message("[2]", "[-4,0]"), "data_offsets is [-4,0], not a list of two"));
  EXPECT_TRUE(contains(message("[2]", "[0,4,8]"), "not a list of two integers"));
  EXPECT_TRUE(contains(message("[2.0]", "[0,4]"), "shape is [2.0]"));
  EXPECT_TRUE(contains(message("[-2]", "[0,4]"), "shape is [-2]"));
  EXPECT_TRUE(contains(message("[18446744073709551615]", "[0,4]"), "integers from 0 to 2^63"));
  EXPECT_TRUE(contains(message("[4294967296,4294967296]", "[0,0]"), "more than 2^63 bytes"));
  EXPECT_TRUE(contains(message("[4]", "[0,8]"), "the tensors span 8 bytes, the file has 4"));
  EXPECT_TRUE(contains(message("[1]", "[2,4]"), "leaving a hole after byte 0"));
}

TEST_F(Safetensors, RefuseOverlappingTensors) {
  EXPECT_TRUE(
      contains(error_for_header(R"({"q":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},)"
                                R"("k":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}})",
                                "abcdef"),
               "tensor \"k\" begins at byte 2, inside the tensor before it, which ends at byte 4"));
}

}  // namespace
}  // namespace flashcore::io
