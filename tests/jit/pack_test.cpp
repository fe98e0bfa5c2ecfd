#include "jit/pack.h"

#include <gmock/gmock.h>
#include <xxhash.h>

#include <cstring>
#include <string>

#include "core/error.h"
#include "support/temp_dir.h"

namespace flashcore::jit {
namespace {

using ::testing::HasSubstr;

PackEntry entry(std::uint64_t hash, const std::string& name, std::size_t cubin_bytes) {
  PackEntry entry;
  entry.source_hash = hash;
  entry.spec = {"demo/kernel.cuh", name};
  entry.arch = {9, 0, true};
  entry.nvrtc_version = {13, 0};
  entry.binary = {
      .cubin = std::vector<std::uint8_t>(cubin_bytes),
      .symbol = "_Z" + name,
      .report = {.registers = 40, .shared_bytes = 128, .barriers = 2, .serialized_products = true}};
  for (std::size_t i = 0; i < cubin_bytes; ++i)
    entry.binary.cubin[i] = static_cast<std::uint8_t>(i * 37 + hash);
  return entry;
}

void expect_equal(const PackEntry& a, const PackEntry& b) {
  EXPECT_TRUE(a.is(b.source_hash, b.spec, b.arch));
  EXPECT_EQ(a.nvrtc_version, b.nvrtc_version);
  EXPECT_EQ(a.binary.cubin, b.binary.cubin);
  EXPECT_EQ(a.binary.symbol, b.binary.symbol);
  EXPECT_EQ(a.binary.report, b.binary.report);
}

/// Why the bytes are refused; empty when they are read.
std::string refusal(std::span<const std::uint8_t> bytes) {
  try {
    read_pack(bytes, "some.pack");
  } catch (const core::Error& error) {
    EXPECT_EQ(error.status(), core::Status::io);
    EXPECT_THAT(error.what(), ::testing::StartsWith("some.pack: "));
    return error.what();
  }
  return {};
}

/// A pack with this index and no cubins, its checksum right.
std::vector<std::uint8_t> pack_of_index(const std::string& index) {
  const std::uint64_t numbers[] = {index.size(), XXH3_64bits(index.data(), index.size())};
  std::vector<std::uint8_t> bytes(8 + sizeof(numbers) + index.size());
  std::memcpy(bytes.data(), "FLASHPK2", 8);
  std::memcpy(bytes.data() + 8, numbers, sizeof(numbers));
  std::memcpy(bytes.data() + 8 + sizeof(numbers), index.data(), index.size());
  return bytes;
}

TEST(Pack, GivesBackWhatWasWritten) {
  const std::vector<PackEntry> entries{entry(1, "a", 100), entry(~0ULL, "b", 0), entry(3, "c", 1)};
  const std::vector<PackEntry> read = read_pack(write_pack(entries), "some.pack");
  ASSERT_EQ(read.size(), 3U);
  for (std::size_t i = 0; i < read.size(); ++i) expect_equal(read[i], entries[i]);
}

TEST(Pack, IsRefusedWithAnyBitFlipped) {
  const auto whole = write_pack(std::vector{entry(1, "a", 40), entry(2, "b", 24)});
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      auto damaged = whole;
      damaged[at] = static_cast<std::uint8_t>(damaged[at] ^ (1U << bit));
      ASSERT_NE(refusal(damaged), "") << "byte " << at << " bit " << bit;
    }
}

TEST(Pack, IsRefusedCutShortAnywhereOrContinued) {
  auto whole = write_pack(std::vector{entry(1, "a", 40), entry(2, "b", 24)});
  for (std::size_t length = 0; length < whole.size(); ++length)
    ASSERT_THAT(refusal(std::span(whole).first(length)), HasSubstr("cut short")) << length;
  whole.push_back(0);
  EXPECT_THAT(refusal(whole), HasSubstr("1 bytes follow the last kernel"));
}

TEST(Pack, RefusesAnIndexThatLiesEvenWithARightChecksum) {
  const std::string good =
      R"({"kernels":[{"source_hash":1,"entry":"e","name_expression":"n",)"
      R"("arch":"sm_90","nvrtc":[13,0],"symbol":"s","registers":1,)"
      R"("spill_bytes":0,"stack_bytes":0,"smem_bytes":0,"barriers":0,"serialized_products":false,)"
      R"("cubin_bytes":0,"cubin_xxh3":3244421341483603138}]})";
  ASSERT_EQ(refusal(pack_of_index(good)), "");
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string index = good;
    index.replace(index.find(from), from.size(), to);
    return refusal(pack_of_index(index));
  };
  EXPECT_THAT(with("\"cubin_bytes\":0", "\"cubin_bytes\":18446744073709551615"),
              HasSubstr("cut short"));
  EXPECT_THAT(with("\"cubin_bytes\":0", "\"cubin_bytes\":-1"), HasSubstr("malformed"));
  EXPECT_THAT(with("\"registers\":1", "\"registers\":1e300"), HasSubstr("malformed"));
  EXPECT_THAT(with("\"registers\":1", "\"registers\":\"many\""), HasSubstr("malformed"));
  EXPECT_THAT(with("\"serialized_products\":false", "\"serialized_products\":0"),
              HasSubstr("malformed"));
  EXPECT_THAT(with("sm_90", "x86"), HasSubstr("malformed"));
  EXPECT_THAT(with("\"symbol\":\"s\",", ""), HasSubstr("malformed"));
  EXPECT_THAT(refusal(pack_of_index("[]")), HasSubstr("malformed"));
  EXPECT_THAT(refusal(pack_of_index("{\"kernels\":{\"a\":1}}")), HasSubstr("malformed"));
  EXPECT_THAT(refusal(pack_of_index("not json")), HasSubstr("malformed"));
  EXPECT_THAT(refusal(pack_of_index(std::string(100000, '['))), HasSubstr("malformed"));
}

TEST(Pack, SaysWhatAFileIsThatIsNoPack) {
  const test::TempDir directory;
  const auto refused = [](const std::string& path) -> std::string {
    try {
      read_pack_file(path);
    } catch (const core::Error& error) {
      return error.what();
    }
    return "";
  };
  test::write_text(directory.file("text"), "a text file, and a longer one");
  EXPECT_THAT(refused(directory.file("text")), HasSubstr("text: not a pack"));
  EXPECT_THAT(refused(directory.file("absent")), HasSubstr("absent: No such file"));
  EXPECT_THAT(refused(directory.path().string()), HasSubstr("not a regular file"));
  EXPECT_THAT(refused("/dev/zero"), HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace flashcore::jit
