// Files damaged at random: a reader may refuse or accept one, but does nothing else. Run under the
// asan preset, this shows that no damage leads a read outside its buffer.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "core/error.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "support/temp_dir.h"

namespace flashcore::io {
namespace {

using Bytes = std::string;

constexpr int rounds = 4000;

/// Up to four changes: bytes replaced, inserted, removed or repeated, mostly near the start, where
/// the header is; characters that headers give a meaning are favoured.
Bytes damaged(Bytes bytes, std::mt19937_64& random) {
  static constexpr std::string_view meaningful = "{}[]()'\",:-0123456789\\ \n";
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  for (std::size_t change = 1 + below(4); change > 0 && !bytes.empty(); --change) {
    const std::size_t at =
        below(below(4) == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 160));
    const char value =
        below(2) == 0 ? meaningful[below(meaningful.size())] : static_cast<char>(random());
    switch (below(4)) {
      case 0: bytes[at] = value; break;
      case 1: bytes.insert(at, 1, value); break;
      case 2: bytes.erase(at, 1 + below(8)); break;
      default: bytes.insert(at, bytes.substr(at, 1 + below(16))); break;
    }
  }
  return bytes;
}

/// Feeds damaged copies of `valid` to `read`; returns how many distinct messages they drew.
template <typename Read>
std::size_t messages_of_damage(const Bytes& valid, Read&& read) {
  const test::TempDir directory;
  const std::string file = directory.file("damaged");
  std::mt19937_64 random{20240607};
  std::set<std::string> messages;
  for (int round = 0; round < rounds; ++round) {
    test::write_text(file, damaged(valid, random));
    try {
      read(file);
    } catch (const core::Error& error) {
      EXPECT_TRUE(std::string{error.what()}.starts_with(file)) << error.what();
      messages.insert(error.what());
    }
  }
  return messages.size();
}

Array small_array() {
  Array array{{1, 2, 3, 4}, core::HostTensor(core::Dtype::float16, 24)};
  fill_normal(array.tensor, 1);
  return array;
}

TEST(DamagedFiles, AreRefusedOrReadAsNpy) {
  const test::TempDir directory;
  const Array array = small_array();
  OutputFile output{directory.file("valid")};
  write_npy(output, view(array));
  output.commit();
  EXPECT_GT(messages_of_damage(test::read_text(directory.file("valid")),
                               [](const std::string& file) { read_npy(file); }),
            100U);
}

TEST(DamagedFiles, AreRefusedOrReadAsSafetensors) {
  const test::TempDir directory;
  const Array array = small_array();
  OutputFile output{directory.file("valid")};
  write_safetensors(output, {{"q", view(array)}, {"k", view(array)}});
  output.commit();
  const auto read_all = [](const std::string& path) {
    const SafetensorsFile file{path};
    for (const std::string& name : file.names()) file.read(name);
  };
  EXPECT_GT(messages_of_damage(test::read_text(directory.file("valid")), read_all), 100U);
}

}  // namespace
}  // namespace flashcore::io
