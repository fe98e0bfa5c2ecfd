#include "emulate/module_store.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "emulate/addr2line.h"
#include "emulate/module_file.h"
#include "support/message_of.h"
#include "support/temp_dir.h"

namespace flashcore::emulate {
namespace {

namespace fs = std::filesystem;
using jit::EmbeddedSource;
using jit::Origin;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// The least that a module includes: its tests need no kernel and no emulator.
const std::vector<EmbeddedSource>& tiny_sources() {
  static const std::vector<EmbeddedSource> sources{
      {"host/entry.h", R"(#pragma once
namespace flashcore::host {
class Machine;
struct Module {
  int version;
  void (*run_thread)(Machine&, const void*);
};
template <typename Params>
struct KernelOf {
  template <void (*kernel)(Params)>
  static void run_thread(Machine&, const void* params) {
    kernel(*static_cast<const Params*>(params));
  }
};
template <typename Params>
KernelOf<Params> kernel_of(void (*)(const Params));
template <auto kernel>
constexpr Module module_of() {
  return {3, decltype(kernel_of(kernel))::template run_thread<kernel>};
}
}  // namespace flashcore::host
extern "C" void __tsan_init() {}
extern "C" void __tsan_func_entry(void*) {}
extern "C" void __tsan_func_exit() {}
extern "C" void __tsan_read8(void*) {}
extern "C" void __tsan_read16(void*) {}
extern "C" void __tsan_unaligned_read8(void*) {}
extern "C" void __tsan_unaligned_read16(void*) {}
extern "C" void __tsan_read4(void*) {}
extern "C" void __tsan_write4(void*) {}
)"},
      {"tiny/kernel.cuh",
       "#pragma once\nstruct Params { int* target; int value; };\n"
       "template <int Factor> void tiny(const Params params) { *params.target = Factor * "
       "params.value; }"},
      {"tiny/broken.cuh", "#pragma once\nvoid broken(int) { no_such_name(); }"}};
  return sources;
}

struct TinyParams {
  int* target;
  int value;
};

ModuleSpec tiny(const std::string& name = "tiny<3>") {
  return {.kernel = {"tiny/kernel.cuh", name}, .sources = tiny_sources()};
}

int run(const host::Module& module, int value) {
  int result = 0;
  const TinyParams params{&result, value};
  module.run_thread(*reinterpret_cast<host::Machine*>(&result), &params);
  return result;
}

HostCompiler no_compiler() {
  return find_host_compiler([](const char* name) -> std::optional<std::string> {
    if (std::string_view(name) == "FLASHCORE_CXX") return "/no/such/compiler";
    return std::nullopt;
  });
}

class ModuleStoreTest : public ::testing::Test {
 protected:
  [[nodiscard]] ModuleStore store(const HostCompiler& compiler = host_compiler()) const {
    return ModuleStore(compiler, cache_, {bundle_});
  }
  [[nodiscard]] std::vector<fs::path> kept() const {
    std::vector<fs::path> files;
    if (fs::exists(cache_))
      for (const auto& entry : fs::directory_iterator(cache_)) files.push_back(entry.path());
    return files;
  }

  test::TempDir outside_;
  fs::path cache_ = outside_.path() / "cache";
  fs::path bundle_ = outside_.path() / "share" / "modules";
};

TEST_F(ModuleStoreTest, CompilesOnceThenFindsInMemoryAndForTheNextProcessInTheCache) {
  ModuleStore first = store();
  const FoundModule compiled = first.find(tiny());
  EXPECT_EQ(compiled.origin, Origin::compiler);
  EXPECT_EQ(run(compiled.module, 5), 15);
  EXPECT_EQ(first.find(tiny()).origin, Origin::memory);
  ModuleStore second = store();
  const FoundModule cached = second.find(tiny());
  EXPECT_EQ(cached.origin, Origin::cache);
  EXPECT_EQ(run(cached.module, 7), 21);
  EXPECT_EQ(kept().size(), 1U);
  struct stat status {};
  ASSERT_EQ(stat(cache_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
}

TEST_F(ModuleStoreTest, KeepsInstancesFlagsAndSourcesApart) {
  ModuleStore modules = store();
  EXPECT_EQ(run(modules.find(tiny("tiny<3>")).module, 1), 3);
  EXPECT_EQ(run(modules.find(tiny("tiny<4>")).module, 1), 4);
  ModuleSpec flagged = tiny();
  flagged.flags = {"-DUNUSED"};
  EXPECT_EQ(modules.find(flagged).origin, Origin::compiler);
  std::vector<EmbeddedSource> changed = tiny_sources();
  changed[1].text =
      "#pragma once\nstruct Params { int* target; int value; };\n"
      "template <int Factor> void tiny(const Params params) { *params.target = -1; }";
  ModuleSpec other = tiny();
  other.sources = changed;
  EXPECT_EQ(run(modules.find(other).module, 1), -1);
  EXPECT_EQ(kept().size(), 4U);
}

TEST_F(ModuleStoreTest, TakesADamagedCacheEntryForNoneAndReplacesIt) {
  store().find(tiny());
  ASSERT_EQ(kept().size(), 1U);
  const fs::path file = kept().front();
  const std::string whole = test::read_text(file);
  std::string flipped = whole;
  flipped[whole.size() / 2] ^= 1;
  for (const std::string& damaged :
       {std::string(), whole.substr(0, whole.size() / 2), whole + "x", flipped}) {
    test::write_text(file, damaged);
    const FoundModule found = store().find(tiny());
    EXPECT_EQ(found.origin, Origin::compiler);
    EXPECT_EQ(run(found.module, 2), 6);
    EXPECT_EQ(store().find(tiny()).origin, Origin::cache);
  }
}

TEST_F(ModuleStoreTest, DoesNotRunWhatOthersCouldHaveWritten) {
  store().find(tiny());
  ASSERT_EQ(chmod(kept().front().c_str(), 0666), 0);
  EXPECT_EQ(store().find(tiny()).origin, Origin::compiler);
  ASSERT_EQ(chmod(cache_.c_str(), 0777), 0);
  ModuleStore modules = store();
  EXPECT_EQ(modules.find(tiny()).origin, Origin::compiler);
  EXPECT_THAT(modules.cache_problem(), HasSubstr("others can write to it"));
}

TEST_F(ModuleStoreTest, WithoutACompilerAnInstalledFolderServesAndAnythingElseSaysWhereItLooked) {
  store().write(tiny(), bundle_);
  EXPECT_EQ(modules_in(bundle_), 1U);
  ModuleStore bare = store(no_compiler());
  const FoundModule installed = bare.find(tiny());
  EXPECT_EQ(installed.origin, Origin::pack);
  EXPECT_EQ(run(installed.module, 2), 6);
  const std::string message = test::message_of([&] { bare.find(tiny("tiny<9>")); });
  EXPECT_THAT(message, StartsWith("tiny<9> for the emulator: no C++ compiler: $FLASHCORE_CXX: "
                                  "there is no program /no/such/compiler"));
  EXPECT_THAT(message, HasSubstr(bundle_.string() + " does not hold it"));
}

TEST_F(ModuleStoreTest, AFailingCompileCarriesTheCompilersMessageAndKeepsNothing) {
  const ModuleSpec broken{.kernel = {"tiny/broken.cuh", "broken"}, .sources = tiny_sources()};
  const std::string message = test::message_of([&] { store().find(broken); });
  EXPECT_THAT(message, StartsWith("broken for the emulator: "));
  EXPECT_THAT(message, HasSubstr("kernels/tiny/broken.cuh:2"));
  EXPECT_THAT(message, HasSubstr("no_such_name"));
  EXPECT_TRUE(kept().empty());
}

TEST_F(ModuleStoreTest, AMissingSourceIsNamed) {
  const ModuleSpec missing{.kernel = {"tiny/nothing.cuh", "nothing"}, .sources = tiny_sources()};
  EXPECT_THAT(test::message_of([&] { store().find(missing); }), HasSubstr("tiny/nothing.cuh"));
}

TEST(HostCompiler, TheFirstVariableThatIsSetDecides) {
  const auto with = [](const std::string& name, const std::string& value) {
    return find_host_compiler([=](const char* asked) -> std::optional<std::string> {
      if (asked == name) return value;
      return std::nullopt;
    });
  };
  EXPECT_TRUE(with("CXX", "c++ -pipe").available());
  EXPECT_EQ(with("CXX", "c++ -pipe").command.back(), "-pipe");
  EXPECT_EQ(with("CXX", "no_such_compiler").problem,
            "no C++ compiler: $CXX: there is no program no_such_compiler");
  EXPECT_THAT(with("FLASHCORE_CXX", "false").problem, HasSubstr("--version exits with 1"));
  EXPECT_NE(with("CXX", "c++").identity(), with("CXX", "c++ -pipe").identity());
}

TEST(Addr2line, NamesTheLineOfACallInAModule) {
  const test::TempDir cache;
  ModuleStore modules(host_compiler(), cache.path() / "cache", {});
  const ModuleSpec spec = tiny();
  const auto* code = reinterpret_cast<const char*>(modules.find(spec).module.run_thread);
  EXPECT_THAT(source_line(code + 1), HasSubstr("module.cpp:"));
  EXPECT_EQ(source_line(reinterpret_cast<const void*>(0x10)), "0x10");
}

}  // namespace
}  // namespace flashcore::emulate
