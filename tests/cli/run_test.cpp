// `flashcore run` from end to end, on the CPU.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "io/npy.h"
#include "io/safetensors.h"
#include "support/command.h"
#include "support/temp_dir.h"

namespace flashcore {
namespace {

using nlohmann::json;
using test::CommandResult;
using test::run_command;

const std::string activations =
    FLASHCORE_SOURCE_DIR "/data/activations/all_minilm_l6_v2.safetensors";

/// A directory with q.npy, k.npy and v.npy in it, and the command run over them.
class Run : public ::testing::Test {
 protected:
  io::Array write_normal(const std::string& name, const io::Shape& shape, std::uint64_t seed,
                         core::Dtype dtype = core::Dtype::float16) {
    std::int64_t elements = 1;
    for (const std::int64_t dimension : shape) elements *= dimension;
    io::Array array{shape, core::HostTensor(dtype, elements)};
    fill_normal(array.tensor, seed);
    write(name, array);
    return array;
  }
  void write(const std::string& name, const io::Array& array) {
    io::OutputFile output{file(name)};
    write_npy(output, view(array));
    output.commit();
  }
  void write_qkv(const io::Shape& q, const io::Shape& kv,
                 core::Dtype dtype = core::Dtype::float16) {
    write_normal("q.npy", q, 1, dtype);
    write_normal("k.npy", kv, 2, dtype);
    write_normal("v.npy", kv, 3, dtype);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return directory_.file(name); }

  /// Runs over the three files, on the CPU, with o.npy as output.
  CommandResult run(std::vector<std::string> more = {}) {
    std::vector<std::string> words{"run",         "--q",      file("q.npy"), "--k",
                                   file("k.npy"), "--v",      file("v.npy"), "--out",
                                   file("o.npy"), "--device", "cpu"};
    words.insert(words.end(), more.begin(), more.end());
    return run_command(words);
  }
  /// The exit status is 2, the message has this text, and no output is there.
  void expect_refused(const CommandResult& result, const std::string& message) {
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << result.err;
    EXPECT_FALSE(std::filesystem::exists(file("o.npy"))) << directory_.listing();
    EXPECT_EQ(directory_.listing().find(".tmp"), std::string::npos) << directory_.listing();
  }

  test::TempDir directory_;
};

std::vector<float> values(const io::Array& array) {
  std::vector<float> result;
  for (std::int64_t i = 0; i < array.tensor.elements(); ++i) result.push_back(array.tensor.at(i));
  return result;
}

TEST_F(Run, AgreesWithTheOracleOnTheShippedActivations) {
  for (const char* layer : {"layer0.", "layer2.", "layer5."}) {
    const auto result = run_command({"run", "--input", activations, "--prefix", layer, "--device",
                                     "cpu", "--verify", "--json", "--out", file("o.npy")});
    ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
    const json report = json::parse(result.out);
    EXPECT_EQ(report["backend"], "cpu");
    EXPECT_EQ(report["shape"], json({1, 12, 290, 32}));
    EXPECT_TRUE(report["verify"]["correct"]);
    EXPECT_LT(report["verify"]["max_error"], 2e-3);
    const io::Array o = io::read_npy(file("o.npy"));
    EXPECT_EQ(o.shape, (io::Shape{1, 12, 290, 32}));
    EXPECT_EQ(o.tensor.dtype(), core::Dtype::float16);
  }
}

TEST_F(Run, ComputesAttentionInEveryDtype) {
  for (const core::Dtype dtype : core::all_dtypes) {
    write_qkv({2, 4, 33, 16}, {2, 2, 45, 16}, dtype);
    const auto result = run({"--verify"});
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_NE(result.out.find("within the numerics contract"), std::string::npos) << result.out;
    EXPECT_EQ(io::read_npy(file("o.npy")).tensor.dtype(), dtype);
  }
}

/// The same elements with dimensions 1 and 2 exchanged.
io::Array exchanged(const io::Array& array) {
  const auto& s = array.shape;
  io::Array result{{s[0], s[2], s[1], s[3]},
                   core::HostTensor(array.tensor.dtype(), array.tensor.elements())};
  for (std::int64_t b = 0; b < s[0]; ++b)
    for (std::int64_t i = 0; i < s[1]; ++i)
      for (std::int64_t j = 0; j < s[2]; ++j)
        for (std::int64_t d = 0; d < s[3]; ++d)
          result.tensor.set(((b * s[2] + j) * s[1] + i) * s[3] + d,
                            array.tensor.at(((b * s[1] + i) * s[2] + j) * s[3] + d));
  return result;
}

TEST_F(Run, LayoutBshdIsBhsdTransposed) {
  write_qkv({2, 4, 19, 8}, {2, 2, 23, 8});
  ASSERT_EQ(run({"--lse", file("lse.npy")}).exit_code, 0);
  const io::Array o = io::read_npy(file("o.npy"));
  const io::Array lse = io::read_npy(file("lse.npy"));
  for (const char* name : {"q.npy", "k.npy", "v.npy"})
    write(name, exchanged(io::read_npy(file(name))));
  const auto result = run({"--layout", "bshd", "--lse", file("lse.npy")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const io::Array transposed = io::read_npy(file("o.npy"));
  EXPECT_EQ(transposed.shape, (io::Shape{2, 19, 4, 8}));
  EXPECT_EQ(values(exchanged(transposed)), values(o));
  EXPECT_EQ(io::read_npy(file("lse.npy")).shape, (io::Shape{2, 4, 19}));
  EXPECT_EQ(values(io::read_npy(file("lse.npy"))), values(lse));
}

TEST_F(Run, LowerRanksLackBatchAndHeads) {
  write_qkv({1, 3, 10, 8}, {1, 3, 12, 8});
  ASSERT_EQ(run().exit_code, 0);
  const auto whole = values(io::read_npy(file("o.npy")));
  write_qkv({3, 10, 8}, {3, 12, 8});
  ASSERT_EQ(run({"--lse", file("lse.npy")}).exit_code, 0);
  EXPECT_EQ(io::read_npy(file("o.npy")).shape, (io::Shape{3, 10, 8}));
  EXPECT_EQ(io::read_npy(file("lse.npy")).shape, (io::Shape{3, 10}));
  EXPECT_EQ(values(io::read_npy(file("o.npy"))), whole);
  write_qkv({10, 8}, {12, 8});
  for (const char* layout : {"bhsd", "bshd"}) {
    ASSERT_EQ(run({"--lse", file("lse.npy"), "--layout", layout, "--verify"}).exit_code, 0);
    EXPECT_EQ(io::read_npy(file("o.npy")).shape, (io::Shape{10, 8}));
    EXPECT_EQ(io::read_npy(file("lse.npy")).shape, (io::Shape{10}));
  }
}

TEST_F(Run, MaskWindowAndScaleMeanWhatTheContractSays) {
  write_qkv({1, 2, 20, 8}, {1, 2, 31, 8});
  const auto run_to_lse = [&](std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--lse", file("lse.npy"), "--verify"});
    const auto result = run(flags);
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    return values(io::read_npy(file("lse.npy")));
  };
  // Scale 0 makes every visible score 0: lse is the logarithm of how many keys a row sees.
  const auto keys_seen = [&](std::vector<std::string> flags) {
    flags.insert(flags.end(), {"--scale", "0"});
    std::vector<long> counts;
    for (const float lse : run_to_lse(flags)) counts.push_back(std::lround(std::exp(lse)));
    return std::array{counts[0], counts[10], counts[19]};
  };
  EXPECT_EQ(keys_seen({}), (std::array{31L, 31L, 31L}));
  EXPECT_EQ(keys_seen({"--mask", "causal_top_left"}), (std::array{1L, 11L, 20L}));
  EXPECT_EQ(keys_seen({"--mask", "causal_bottom_right"}), (std::array{12L, 22L, 31L}));
  EXPECT_EQ(keys_seen({"--window", "3,-1"}), (std::array{23L, 13L, 4L}));
  EXPECT_EQ(keys_seen({"--window", "-1,0"}), (std::array{12L, 22L, 31L}));
  EXPECT_EQ(keys_seen({"--window", "2,5", "--mask", "causal_top_left"}), (std::array{1L, 3L, 3L}));
  EXPECT_NE(run_to_lse({"--scale", "0.5"}), run_to_lse({}));
}

TEST_F(Run, NoKeysAtAllGiveZeroAndMinusInfinity) {
  write_qkv({1, 2, 3, 8}, {1, 2, 0, 8});
  ASSERT_EQ(run({"--lse", file("lse.npy"), "--verify"}).exit_code, 0);
  for (const float value : values(io::read_npy(file("o.npy")))) EXPECT_EQ(value, 0.0F);
  for (const float value : values(io::read_npy(file("lse.npy")))) EXPECT_EQ(value, -INFINITY);
}

TEST_F(Run, OneSafetensorsFileHoldsBothOutputs) {
  write_qkv({1, 2, 9, 8}, {1, 2, 9, 8}, core::Dtype::bfloat16);
  ASSERT_EQ(run({"--lse", file("lse.npy")}).exit_code, 0);
  ASSERT_EQ(run_command({"run", "--q", file("q.npy"), "--k", file("k.npy"), "--v", file("v.npy"),
                         "--out", file("o.safetensors"), "--device", "cpu"})
                .exit_code,
            0);
  const io::SafetensorsFile both{file("o.safetensors")};
  EXPECT_EQ(both.read("o").tensor.dtype(), core::Dtype::bfloat16);
  EXPECT_EQ(values(both.read("o")), values(io::read_npy(file("o.npy"))));
  EXPECT_EQ(values(both.read("lse")), values(io::read_npy(file("lse.npy"))));
}

TEST_F(Run, SaysWhatServedItAndWhy) {
  write_qkv({1, 2, 9, 8}, {1, 2, 9, 8}, core::Dtype::float32);
  const auto result = run_command(
      {"run", "--q", file("q.npy"), "--k", file("k.npy"), "--v", file("v.npy"), "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  EXPECT_EQ(report["family"], "cpu_blocked");
  EXPECT_NE(report["reason"].get<std::string>().find("GPU"), std::string::npos);
  EXPECT_EQ(report["problem"], "fp32 b=1 h=2 s=9 d=8");
  EXPECT_TRUE(report["out"].is_null());
  EXPECT_EQ(directory_.listing(), "k.npy q.npy v.npy");
}

TEST_F(Run, RefusesTensorsThatDoNotFitTogether) {
  write_qkv({1, 4, 8, 16}, {1, 4, 8, 24});
  expect_refused(run(), "k: head_dim 24 differs from q: head_dim 16");
  write_qkv({1, 4, 8, 16}, {1, 3, 8, 16});
  expect_refused(run(), "q: heads 4 is not a multiple of k: heads 3");
  write_qkv({1, 4, 8, 16}, {4, 8, 16});
  expect_refused(run(), "k: shape [4, 8, 16] differs in rank from q: shape [1, 4, 8, 16]");
  write_qkv({16}, {16});
  expect_refused(run(), "q: shape [16] has rank 1");
  write_qkv({1, 4, 0, 16}, {1, 4, 8, 16});
  expect_refused(run(), "q: seq is 0");
  write_qkv({1, 4, 8, 16}, {1, 4, 8, 16});
  write_normal("v.npy", {1, 4, 8, 16}, 3, core::Dtype::bfloat16);
  expect_refused(run(), "v: dtype bf16 differs from q: dtype fp16");
}

TEST_F(Run, RefusesBadFilesAndNamesTheirFlag) {
  write_qkv({1, 1, 8, 16}, {1, 1, 8, 16});
  const std::string whole = test::read_text(file("k.npy"));
  test::write_text(file("k.npy"), whole.substr(0, whole.size() - 1));
  expect_refused(run(), "--k: " + file("k.npy") + ": shape [1, 1, 8, 16] of fp16 needs 256 bytes");
  std::filesystem::remove(file("k.npy"));
  expect_refused(run(), "--k: " + file("k.npy") + ": cannot open");
  expect_refused(run_command({"run", "--input", activations, "--prefix", "layer9."}),
                 "no tensor \"layer9.q\"; there are: [\"layer0.k\"");
}

TEST_F(Run, RefusesFlagsThatMakeNoSense) {
  write_qkv({1, 1, 8, 16}, {1, 1, 8, 16});
  for (const char* scale : {"nan", "inf", "1e39", "half", "1,0"})
    expect_refused(run({"--scale", scale}),
                   "--scale: \"" + std::string{scale} + "\" is not a finite");
  for (const char* window : {"3", "3,", "-2,0", "1,2,3", "a,b", "1, 2", "99999999999999999999,0"})
    expect_refused(run({"--window", window}), "is not LEFT,RIGHT");
  expect_refused(run({"--mask", "causal"}), "--mask");
  expect_refused(run({"--layout", "sbhd"}), "--layout");
  expect_refused(run({"--device", "tpu"}), "--device");
  expect_refused(run({"--input", activations}), "excludes --input");
  for (const char* flag : {"--scale", "--window", "--lse"})
    expect_refused(run({flag, ""}), std::string{flag} + ": is empty");
  expect_refused(run_command({"run"}), "give --q, --k and --v");
  expect_refused(run_command({"run", "--q", file("q.npy")}), "give --q, --k and --v");
}

TEST_F(Run, RefusesFp32OnAGpuWhetherOrNotThereIsOne) {
  write_qkv({1, 1, 8, 16}, {1, 1, 8, 16}, core::Dtype::float32);
  const auto result = run_command({"run", "--q", file("q.npy"), "--k", file("k.npy"), "--v",
                                   file("v.npy"), "--out", file("o.npy"), "--device", "gpu"});
  expect_refused(result, "q has dtype fp32, which only the CPU serves");
}

TEST_F(Run, RefusesOutputsThatWouldDestroySomething) {
  write_qkv({1, 1, 8, 16}, {1, 1, 8, 16});
  const auto run_to = [&](const std::string& out, const std::string& lse) {
    return run_command({"run", "--q", file("q.npy"), "--k", file("k.npy"), "--v", file("v.npy"),
                        "--device", "cpu", "--out", out, "--lse", lse});
  };
  const std::string before = test::read_text(file("q.npy"));
  expect_refused(run_to(file("q.npy"), file("lse.npy")), "is an input too");
  expect_refused(run_to(file("x.npy"), file("./x.npy")), "is --out too");
  expect_refused(run_to(file("absent/o.npy"), file("lse.npy")), "No such file or directory");
  expect_refused(run_to(file("o.bin"), file("lse.npy")), "neither in .npy nor in .safetensors");
  EXPECT_EQ(test::read_text(file("q.npy")), before);
  EXPECT_EQ(directory_.listing(), "k.npy q.npy v.npy");
}

TEST_F(Run, AFailureKeepsTheResultOfTheRunBefore) {
  write_qkv({1, 1, 8, 16}, {1, 1, 8, 16});
  ASSERT_EQ(run().exit_code, 0);
  const std::string before = test::read_text(file("o.npy"));
  write_normal("v.npy", {1, 1, 9, 16}, 3);
  EXPECT_EQ(run().exit_code, 2);
  EXPECT_EQ(test::read_text(file("o.npy")), before);
  EXPECT_EQ(directory_.listing(), "k.npy o.npy q.npy v.npy");
}

TEST_F(Run, NanReachesItsOwnRowsOnly) {
  write_qkv({1, 1, 8, 16}, {1, 1, 8, 16});
  io::Array q = io::read_npy(file("q.npy"));
  q.tensor.set(3 * 16 + 5, NAN);
  write("q.npy", q);
  const auto result = run({"--verify"});
  EXPECT_EQ(result.exit_code, 0) << result.out;
  const auto o = values(io::read_npy(file("o.npy")));
  for (std::size_t i = 0; i < o.size(); ++i) EXPECT_EQ(std::isnan(o[i]), i / 16 == 3) << i;
}

}  // namespace
}  // namespace flashcore
