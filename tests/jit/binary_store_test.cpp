#include "jit/binary_store.h"

#include <gmock/gmock.h>

#include <atomic>
#include <barrier>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "core/error.h"
#include "jit/nvrtc.h"
#include "support/command.h"
#include "support/temp_dir.h"
#include "toolchain.h"

namespace flashcore::jit {
namespace {

using ::testing::HasSubstr;

/// A compiler that counts, and answers with the name of what it was asked.
struct FakeCompiler {
  std::atomic<int> compiles = 0;
  std::atomic<std::uint64_t> identity = 99;
  std::function<void()> during = [] {};

  KernelSource source() {
    return {.compile =
                [this](const KernelSpec& spec, core::Arch) {
                  if (identity == 0) core::fail(core::Status::no_device, "no compiler here");
                  ++compiles;
                  during();
                  return Binary{.cubin = {1, 2, 3}, .symbol = spec.name_expression, .report = {}};
                },
            .source_hash =
                [](const KernelSpec& spec, core::Arch arch) {
                  return std::hash<std::string>{}(spec.name_expression + arch.to_string());
                },
            .toolchain_identity = [this](const KernelSpec&) { return identity.load(); },
            .compiler_version =
                [] {
                  return std::pair{13, 0};
                }};
  }
};

KernelSpec named(const std::string& name) {
  return {"a.cuh", name};
}

class BinaryStoreTest : public ::testing::Test {
 protected:
  /// A store as a new process would have it.
  BinaryStore store(std::vector<std::filesystem::path> packs = {}) {
    return {compiler_.source(), cache_, std::move(packs)};
  }

  /// A pack that holds these kernels for sm_80.
  std::string pack_of(const std::vector<std::string>& names) {
    std::vector<PackEntry> entries;
    for (const std::string& name : names)
      entries.push_back({.source_hash = compiler_.source().source_hash(named(name), sm_80),
                         .spec = named(name),
                         .arch = sm_80,
                         .binary = {.cubin = {9}, .symbol = "packed " + name, .report = {}}});
    const auto bytes = write_pack(entries);
    const std::string path = directory_.file("test.pack");
    test::write_text(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return path;
  }

  test::TempDir directory_;
  Cache cache_{directory_.path() / "cache"};
  FakeCompiler compiler_;
};

TEST_F(BinaryStoreTest, LooksInMemoryThenCacheThenPacksThenAsksTheCompiler) {
  const std::string pack = pack_of({"packed"});
  BinaryStore first = store({pack});
  EXPECT_EQ(first.find(named("packed"), sm_80).origin, Origin::pack);
  EXPECT_EQ(first.find(named("a"), sm_80).origin, Origin::compiler);
  EXPECT_EQ(first.find(named("a"), sm_80).origin, Origin::memory);
  BinaryStore second = store({pack});
  EXPECT_EQ(second.find(named("a"), sm_80).origin, Origin::cache);
  EXPECT_EQ(second.find(named("a"), sm_90a).origin, Origin::compiler);
  EXPECT_EQ(compiler_.compiles, 2);
}

TEST_F(BinaryStoreTest, AnotherCompilerDoesNotTakeTheCachedKernel) {
  store().find(named("a"), sm_80);
  compiler_.identity = 100;
  EXPECT_EQ(store().find(named("a"), sm_80).origin, Origin::compiler);
}

TEST_F(BinaryStoreTest, ReplacesADamagedCacheEntry) {
  store().find(named("a"), sm_80);
  for (const auto& file : std::filesystem::directory_iterator(cache_.directory()))
    test::write_text(file.path(), "garbage");
  EXPECT_EQ(store().find(named("a"), sm_80).origin, Origin::compiler);
  EXPECT_EQ(store().find(named("a"), sm_80).origin, Origin::cache);
}

TEST_F(BinaryStoreTest, ServesAPackWithoutACompiler) {
  compiler_.identity = 0;
  BinaryStore kernels = store();
  kernels.load_pack(pack_of({"a", "b"}));
  EXPECT_EQ(kernels.find(named("b"), sm_80).binary.symbol, "packed b");
  ASSERT_EQ(kernels.packs().size(), 1U);
  EXPECT_EQ(kernels.packs()[0].kernels, 2U);
}

TEST_F(BinaryStoreTest, WithoutACompilerSaysWhichPacksItSearched) {
  compiler_.identity = 0;
  const std::string pack = pack_of({"a"});
  BinaryStore kernels = store({pack, directory_.file("absent.pack")});
  try {
    kernels.find(named("a"), sm_90a);
    FAIL();
  } catch (const core::Error& error) {
    EXPECT_EQ(error.status(), core::Status::no_device);
    EXPECT_THAT(error.what(), HasSubstr("no compiler here; pack " + pack + ": does not hold it"));
  }
}

TEST_F(BinaryStoreTest, PassesOverADamagedDefaultPackButNotOneThatIsAskedFor) {
  const std::string pack = pack_of({"a"});
  test::write_text(pack, test::read_text(pack) + "more");
  BinaryStore kernels = store({pack});
  EXPECT_EQ(kernels.find(named("a"), sm_80).origin, Origin::compiler);
  EXPECT_THAT(kernels.packs().at(0).problem, HasSubstr(pack));
  EXPECT_THROW(kernels.load_pack(pack), core::Error);
}

TEST_F(BinaryStoreTest, CompilesOnceForManyThreadsThatAskForTheSameKernel) {
  compiler_.during = [] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); };
  Cache nowhere{std::filesystem::path()};  // it would serve the others
  BinaryStore kernels(compiler_.source(), nowhere, {});
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i)
      threads.emplace_back([&] { EXPECT_EQ(kernels.find(named("a"), sm_80).binary.symbol, "a"); });
  }
  EXPECT_EQ(compiler_.compiles, 1);
}

TEST_F(BinaryStoreTest, CompilesDifferentKernelsInParallel) {
  std::barrier both(2);
  compiler_.during = [&] { both.arrive_and_wait(); };  // hangs unless two compile at once
  BinaryStore kernels = store();
  const std::jthread other([&] { kernels.find(named("b"), sm_80); });
  kernels.find(named("a"), sm_80);
}

TEST_F(BinaryStoreTest, AFailedCompileIsTriedAgain) {
  BinaryStore kernels = store();
  compiler_.during = [] { core::fail(core::Status::compile_failed, "broken"); };
  EXPECT_THROW(kernels.find(named("a"), sm_80), core::Error);
  compiler_.during = [] {};
  EXPECT_EQ(kernels.find(named("a"), sm_80).origin, Origin::compiler);
}

TEST_F(BinaryStoreTest, WorksOnWithoutACacheThatOthersCanWrite) {
  std::filesystem::create_directory(cache_.directory());
  std::filesystem::permissions(cache_.directory(), std::filesystem::perms::all);
  EXPECT_EQ(store().find(named("a"), sm_80).origin, Origin::compiler);
  EXPECT_EQ(store().find(named("a"), sm_80).origin, Origin::compiler);
  EXPECT_THAT(cache_.problem(), HasSubstr("others can write to it"));
}

TEST_F(BinaryStoreTest, TheRealCompilersKernelComesBackFromTheCacheUnchanged) {
  REQUIRE_COMPILER();
  EXPECT_NE(compiler_identity(), 0U);
  KernelSource real = compiler_.source();
  real.compile = [](const KernelSpec& spec, core::Arch arch) {
    return compile(spec, arch, demo_sources);
  };
  BinaryStore first(real, cache_, {});
  BinaryStore second(real, cache_, {});
  const FoundBinary compiled = first.find(demo_spec(), sm_80);
  const FoundBinary cached = second.find(demo_spec(), sm_80);
  EXPECT_EQ(cached.origin, Origin::cache);
  EXPECT_EQ(cached.binary.cubin, compiled.binary.cubin);
  EXPECT_EQ(cached.binary.report, compiled.binary.report);
}

}  // namespace
}  // namespace flashcore::jit
