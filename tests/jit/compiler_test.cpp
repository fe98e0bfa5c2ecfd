#include "jit/compiler.h"

#include <gmock/gmock.h>

#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "jit/header_search.h"
#include "jit/include_closure.h"
#include "jit/nvrtc.h"
#include "toolchain.h"

namespace flashcore::jit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// The demo with one source's text replaced.
std::vector<EmbeddedSource> demo_with(std::string_view path, std::string_view text) {
  std::vector<EmbeddedSource> sources(demo_sources.begin(), demo_sources.end());
  for (EmbeddedSource& source : sources)
    if (source.path == path) source.text = text;
  return sources;
}

std::vector<std::string> closure_paths(std::string_view entry,
                                       const std::vector<EmbeddedSource>& sources) {
  std::vector<std::string> paths;
  for (const auto& source : include_closure(entry, sources).sources)
    paths.emplace_back(source.path);
  return paths;
}

std::string compile_error(const KernelSpec& spec, core::Arch arch,
                          std::span<const EmbeddedSource> sources = demo_sources) {
  try {
    compile(spec, arch, sources);
  } catch (const core::Error& error) {
    EXPECT_EQ(error.status(), core::Status::compile_failed);
    return error.what();
  }
  return "compiled";
}

TEST(IncludeClosure, FollowsIncludesOfIncludesHoweverTheyAreWritten) {
  const std::vector<EmbeddedSource> sources{
      {"a.cuh", "#include \"b.h\"\n  #  include <dir/c.h>\n// #include \"commented.h\"\n"},
      {"b.h", "#include \"a.cuh\"\n#include <cstdint>\n"},
      {"dir/c.h", "#include \"beside.h\""},  // no newline at the end
      {"dir/beside.h", "\t#include \"../up.h\"\r\n"},
      {"up.h", ""},
      {"commented.h", ""},
      {"unrelated.h", ""},
  };
  EXPECT_THAT(closure_paths("a.cuh", sources),
              ElementsAre("a.cuh", "b.h", "dir/beside.h", "dir/c.h", "up.h"));
}

TEST(IncludeClosure, NamesInAnglesThatNobodyEmbeddedAreTheInstallations) {
  const std::vector<EmbeddedSource> sources{
      {"a.cuh", "#include <mma.h>\n#include \"b.h\"\n#include \"misspelt.h\"\n"},
      {"dir/beside.cuh", "#include <mma.h>\n"},
      {"dir/mma.h", ""},
      {"b.h", "#include <cuda/pipeline>\n#include <a.cuh>\n#include <mma.h>\n"},
      {"plain.cuh", "// #include <mma.h>\n"},
  };
  EXPECT_THAT(include_closure("a.cuh", sources).external, ElementsAre("cuda/pipeline", "mma.h"));
  EXPECT_THAT(include_closure("dir/beside.cuh", sources).external, ElementsAre("mma.h"));
  EXPECT_THAT(include_closure("plain.cuh", sources).external, ElementsAre());
}

TEST(IncludeClosure, NamesAnEntryThatIsNotThere) {
  try {
    include_closure("no/such.cuh", demo_sources);
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no/such.cuh"));
  }
}

TEST(SourceHash, ChangesWithEveryIncludedHeaderAndWithNoOther) {
  const auto hash = source_hash(demo_spec(), sm_80, demo_sources);
  EXPECT_EQ(hash, source_hash(demo_spec(), sm_80, demo_sources));
  EXPECT_NE(hash, source_hash(demo_spec(), sm_80, demo_with("demo/config.h", "// changed\n")));
  EXPECT_EQ(hash, source_hash(demo_spec(), sm_80, demo_with("other/unrelated.h", "// changed\n")));
}

TEST(SourceHash, ChangesWithTheConfigAndTheExactArchitecture) {
  const auto hash = source_hash(demo_spec(64), sm_80, demo_sources);
  EXPECT_NE(hash, source_hash(demo_spec(128), sm_80, demo_sources));
  EXPECT_NE(hash, source_hash(demo_spec(64), {8, 6}, demo_sources));
  EXPECT_NE(source_hash(demo_spec(64), {9, 0}, demo_sources),
            source_hash(demo_spec(64), sm_90a, demo_sources));
}

TEST(Compiler, MakesACubinWithItsReport) {
  REQUIRE_COMPILER();
  const Binary binary = compile(demo_spec(64), sm_80, demo_sources);
  ASSERT_GT(binary.cubin.size(), 4U);
  EXPECT_EQ(std::string(binary.cubin.begin() + 1, binary.cubin.begin() + 4), "ELF");
  EXPECT_THAT(binary.symbol, HasSubstr("scale"));
  EXPECT_GT(binary.report.registers, 0);
  EXPECT_EQ(binary.report.shared_bytes, 64 * 4);
  EXPECT_EQ(binary.report.barriers, 1);
  EXPECT_EQ(binary.report.stack_bytes, 0);
  EXPECT_EQ(binary.report.spill_bytes, 0);
}

TEST(Compiler, ReportsStackAndSpillsWhereThereAreSome) {
  REQUIRE_COMPILER();
  const auto sources = demo_with("demo/kernel.cuh", R"(
#include "demo/config.h"
namespace demo {
template <Config C> __global__ void __launch_bounds__(1024, 2) scale(float* p, int n) {
  float held[96];
  for (int i = 0; i < 96; ++i) held[i] = p[i * n];
  for (int k = 0; k < n; ++k)
#pragma unroll
    for (int i = 0; i < 96; ++i) held[i] = held[i] * held[(i + 7) % 96] + p[i];
  for (int i = 0; i < 96; ++i) p[i * n] = held[i];
}
})");
  const ResourceReport report = compile(demo_spec(), sm_80, sources).report;
  EXPECT_GT(report.spill_bytes, 0);
  EXPECT_GT(report.stack_bytes, 0);
}

TEST(Compiler, GivesTheCompilersOwnWordsForABrokenSource) {
  REQUIRE_COMPILER();
  const auto broken = demo_with("demo/config.h", "#pragma once\nnamespace demo { struct Config }");
  EXPECT_THAT(compile_error(demo_spec(), sm_80, broken), HasSubstr("demo/config.h(2): error"));
}

/// The demo, including a header of the compiler's installation.
std::vector<EmbeddedSource> demo_including(const std::string& name, std::string& text) {
  text = "#include <" + name + ">\n" + std::string(demo_sources[0].text);
  return demo_with("demo/kernel.cuh", text);
}

TEST(Compiler, GivesAKernelTheHeadersOfCudaAndCcclThatItIncludes) {
  REQUIRE_COMPILER();
  const auto headers = find_header_folders(compiler_file());
  if (const auto missing = missing_header(headers, {"mma.h", "cuda/pipeline"}); !missing.empty())
    GTEST_SKIP() << missing;
  std::string wmma_text, pipeline_text;
  EXPECT_GT(compile(demo_spec(), sm_80, demo_including("mma.h", wmma_text)).cubin.size(), 0U);
  EXPECT_GT(
      compile(demo_spec(), sm_80, demo_including("cuda/pipeline", pipeline_text)).cubin.size(), 0U);
}

TEST(Compiler, SaysWhereItLookedForAHeaderThatIsNotThere) {
  REQUIRE_COMPILER();
  std::string text;
  const std::string error =
      compile_error(demo_spec(), sm_80, demo_including("cuda/no_such_header", text));
  EXPECT_THAT(error, HasSubstr("<cuda/no_such_header>, a header of CUDA or CCCL, was not found"));
  const auto headers = find_header_folders(compiler_file());
  for (const auto& folder : headers.folders)
    EXPECT_THAT(error, HasSubstr("not in " + folder.string()));
  for (const auto& folder : headers.absent) EXPECT_THAT(error, HasSubstr("no " + folder.string()));
}

TEST(Compiler, TheHeadersCountInTheIdentityOfKernelsThatIncludeSome) {
  REQUIRE_COMPILER();
  EXPECT_EQ(toolchain_identity(demo_spec(), demo_sources), compiler_identity());
  std::string text;
  const auto sources = demo_including("mma.h", text);
  EXPECT_EQ(toolchain_identity(demo_spec(), sources),
            compiler_identity() ^ identity_of_headers(find_header_folders(compiler_file())));
}

TEST(Compiler, SaysThatAnInstanceDoesNotExist) {
  REQUIRE_COMPILER();
  EXPECT_THAT(compile_error({"demo/kernel.cuh", "demo::missing<3>"}, sm_80),
              HasSubstr("demo::missing<3> for sm_80"));
}

TEST(Compiler, NamesTheArchitecturesItHasInsteadOfOneItLacks) {
  REQUIRE_COMPILER();
  EXPECT_THAT(compile_error(demo_spec(), {3, 5}), HasSubstr("sm_80"));
}

TEST(Compiler, CompilesInSeveralThreadsAtOnce) {
  REQUIRE_COMPILER();
  std::vector<std::jthread> threads;
  std::vector<int> shared(4);
  for (std::size_t i = 0; i < shared.size(); ++i)
    threads.emplace_back([&, i] {
      const int size = 32 * static_cast<int>(i + 1);
      shared[i] = compile(demo_spec(size), sm_90a, demo_sources).report.shared_bytes;
    });
  threads.clear();
  EXPECT_THAT(shared, ElementsAre(128, 256, 384, 512));
}

}  // namespace
}  // namespace flashcore::jit
