// What a warp's lanes do with their registers between products, each helper by itself.
#include <gtest/gtest.h>

#include <vector>

#include "emulate/call.h"
#include "emulate/launch.h"
#include "kernels/lanes/params.h"
#include "small_kernel.h"

namespace flashcore::emulate {
namespace {

constexpr unsigned lane_words = 8;

/// What a warp of 32 lanes with these words leaves.
struct Lanes {
  explicit Lanes(std::vector<unsigned> given) : words(std::move(given)) {
    static const host::Module& module = small_kernel("lanes");
    lanes::Params params{.g_words = words.data(),
                         .g_pairs = pairs.data(),
                         .g_refilled = refilled.data(),
                         .g_uniform = uniform.data(),
                         .g_opaque = opaque.data(),
                         .g_not_finite = {not_finite[0].data(), not_finite[1].data()}};
    const auto buffer = [](const auto& values, const char* name, bool written = true) {
      return Buffer{values.data(), values.size() * sizeof(values[0]), name, written};
    };
    const Report report =
        launch(module, {.block = 32}, &params,
               {.buffers = {buffer(words, "words", false), buffer(pairs, "pairs"),
                            buffer(refilled, "refilled"), buffer(uniform, "uniform"),
                            buffer(opaque, "opaque"), buffer(not_finite[0], "not_finite of fp16"),
                            buffer(not_finite[1], "not_finite of bf16")},
                .label = "lanes"});
    EXPECT_EQ(describe(report), "");
  }

  std::vector<unsigned> words;
  std::vector<unsigned> pairs = std::vector<unsigned>(32 * 2);
  std::vector<unsigned> refilled = std::vector<unsigned>(32 * lane_words);
  std::vector<int> uniform = std::vector<int>(32);
  std::vector<unsigned long long> opaque = std::vector<unsigned long long>(32);
  std::array<std::vector<unsigned>, 2> not_finite{std::vector<unsigned>(32),
                                                  std::vector<unsigned>(32)};
};

/// Word i of lane l is 100 l + i + 1.
std::vector<unsigned> numbered() {
  std::vector<unsigned> words(32 * lane_words);
  for (unsigned i = 0; i < words.size(); ++i) words[i] = i / lane_words * 100 + i % lane_words + 1;
  return words;
}

TEST(Lanes, ThatAreNeighboursSwapAWord) {
  const Lanes lanes(numbered());
  for (unsigned lane = 0; lane < 32; ++lane) {
    const unsigned even = lane & ~1U, word = lane % 2;
    EXPECT_EQ(lanes.pairs[lane * 2], even * 100 + word + 1) << lane;
    EXPECT_EQ(lanes.pairs[lane * 2 + 1], (even + 1) * 100 + word + 1) << lane;
  }
}

TEST(Lanes, KeepTheirValuesWhereTheyAreMovedOrHiddenFromTheCompiler) {
  const Lanes lanes(numbered());
  EXPECT_EQ(lanes.refilled, lanes.words);
  for (unsigned lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(lanes.uniform[lane], 7);
    EXPECT_EQ(lanes.opaque[lane],
              static_cast<unsigned long long>(lane * 100 + 2) << 32 | (lane * 100 + 1));
  }
}

/// Lane 0 has finite words, each of the others one that is not, in its lower half or its upper.
TEST(Lanes, RememberAnElementThatIsNotFinite) {
  constexpr unsigned one[] = {0x3C00, 0x3F80}, infinite[] = {0x7C00, 0x7F80},
                     nan[] = {0x7E01, 0x7FC1}, largest[] = {0xFBFF, 0xFF7F};
  for (std::size_t element = 0; element < 2; ++element) {
    std::vector<unsigned> words(32 * lane_words, largest[element] << 16 | one[element]);
    for (unsigned lane = 1; lane < 32; ++lane) {
      const unsigned bad = lane % 3 == 0   ? nan[element]
                           : lane % 3 == 1 ? infinite[element]
                                           : infinite[element] | 0x8000U;
      words[lane * lane_words + lane % lane_words] =
          lane % 2 == 0 ? bad << 16 | one[element] : largest[element] << 16 | bad;
    }
    const Lanes lanes(words);
    for (unsigned lane = 0; lane < 32; ++lane) {
      const unsigned sum = lanes.not_finite[element][lane] & 0x7FFF7FFFU;  // 0 may have a sign
      const unsigned own = lane % 2 == 0 ? sum >> 16 : sum & 0xFFFFU;
      const unsigned other = lane % 2 == 0 ? sum & 0xFFFFU : sum >> 16;
      EXPECT_EQ(other, 0U) << lane;
      if (lane == 0)
        EXPECT_EQ(own, 0U);
      else
        EXPECT_GT(own, infinite[element]) << lane << " is no NaN";
    }
  }
}

}  // namespace
}  // namespace flashcore::emulate
