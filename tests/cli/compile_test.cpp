#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "cli/compile_jobs.h"
#include "core/error.h"
#include "jit/compiler.h"
#include "jit/header_search.h"
#include "jit/nvrtc.h"
#include "jit/pack.h"
#include "support/command.h"
#include "support/temp_dir.h"

namespace flashcore::cli {
namespace {

using nlohmann::json;
using test::CommandResult;
using test::run_command;
using ::testing::HasSubstr;

const std::string one_config =
    "element=0,head_dim=32,block_q=16,threads_per_row=8,block_kv=32,keys_per_step=8";

std::vector<std::string> one_kernel(std::vector<std::string> more) {
  std::vector<std::string> arguments{"compile", "--family", "forward_scalar", "--config",
                                     one_config};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// A family that claims what it is told to; only what planning asks of it works.
class ClaimingFamily final : public family::Family {
 public:
  explicit ClaimingFamily(std::vector<core::Arch> archs) : archs_(std::move(archs)) {}
  [[nodiscard]] std::string_view name() const override { return "claiming"; }
  [[nodiscard]] std::string_view summary() const override { return ""; }
  [[nodiscard]] std::vector<core::Arch> archs() const override { return archs_; }
  [[nodiscard]] core::Support supports(const core::Problem&,
                                       const core::GpuLimits&) const override {
    return core::Support::yes();
  }
  [[nodiscard]] core::Support valid(const family::ConfigFields&,
                                    const core::GpuLimits& gpu) const override {
    if (gpu.arch.number() == 86) return core::Support::no("too little shared memory");
    return core::Support::yes();
  }
  [[nodiscard]] family::ConfigFields default_config(const core::Problem&,
                                                    const core::GpuLimits&) const override {
    return {};
  }
  [[nodiscard]] std::vector<family::ConfigFields> space(const core::Problem&,
                                                        const core::GpuLimits&) const override {
    return {};
  }
  [[nodiscard]] std::vector<family::ConfigFields> shipped_configs(
      const core::GpuLimits&) const override {
    return {family::ConfigFields{}, family::ConfigFields{}};
  }
  [[nodiscard]] std::vector<jit::KernelSpec> kernels(const family::ConfigFields&) const override {
    return {{"a.cuh", "a"}};
  }
  [[nodiscard]] family::ResourceBudget budget(const family::ConfigFields&) const override {
    return {};
  }
  [[nodiscard]] std::unique_ptr<family::PreparedLaunch> prepare(
      const core::Problem&, const family::ConfigFields&, const core::GpuLimits&) const override {
    return nullptr;
  }

 private:
  std::vector<core::Arch> archs_;
};

constexpr core::Arch sm_80{8, 0}, sm_86{8, 6}, sm_90{9, 0}, sm_90a{9, 0, true};

TEST(CompilePlan, SkipsWhatAFamilyDoesNotClaimAndSaysSo) {
  const ClaimingFamily family({sm_90a});
  const CompilePlan plan = plan_jobs({{&family, {}}}, {sm_80, sm_90, sm_90a});
  ASSERT_EQ(plan.jobs.size(), 2U);
  EXPECT_EQ(plan.jobs[0].arch, sm_90a);
  ASSERT_EQ(plan.skipped.size(), 2U);
  EXPECT_EQ(plan.skipped[0].reason, "it claims sm_90a");
  // Chosen twice, by itself and for a variant, it is said once.
  EXPECT_EQ(plan_jobs({{&family, {}}, {&family, {}}}, {sm_80, sm_90, sm_90a}).skipped.size(), 2U);
}

TEST(CompilePlan, CompilesForThePlainArchitectureWhereTheSpecificOneIsNotClaimed) {
  const ClaimingFamily family({sm_90});
  const CompilePlan alone = plan_jobs({{&family, {}}}, {sm_90a});
  ASSERT_EQ(alone.jobs.size(), 2U);
  EXPECT_EQ(alone.jobs[0].arch, sm_90);
  EXPECT_EQ(alone.skipped[0].reason, "its code for sm_90 runs there");
  EXPECT_EQ(plan_jobs({{&family, {}}}, {sm_90, sm_90a}).jobs.size(), 2U);
}

TEST(CompilePlan, LeavesOutAConfigThatIsNotValidOnAnArchitecture) {
  const ClaimingFamily family({sm_80, sm_86});
  const CompilePlan plan = plan_jobs({{&family, family::ConfigFields{}}}, {sm_80, sm_86});
  ASSERT_EQ(plan.jobs.size(), 1U);
  EXPECT_EQ(plan.skipped[0].reason, "too little shared memory");
}

TEST(CompilePlan, LaysAVariantsFieldsOverTheDefaultConfigOfEachProblemOnce) {
  const family::Family* wmma = family::find_family("forward_wmma");
  ASSERT_NE(wmma, nullptr);
  const auto problem = [](int head_dim) {
    return core::contiguous_problem(core::Dtype::float16, 1, 8, 8, 512, 512, head_dim);
  };
  const CompileChoice choice{
      wmma, family::ConfigFields::parse("warps=8"), {problem(64), problem(128), problem(120)}};
  const CompilePlan plan = plan_jobs({choice, choice}, {sm_80});
  ASSERT_EQ(plan.jobs.size(), 2U);
  EXPECT_EQ(plan.jobs[0].config.at("head_dim"), 64);
  EXPECT_EQ(plan.jobs[1].config.at("head_dim"), 128);
  for (const CompileJob& job : plan.jobs) EXPECT_EQ(job.config.at("warps"), 8);
}

TEST(CompileBudget, AllowsNoRegisterTooManyNoSpillAndNoStack) {
  EXPECT_EQ(over_budget({.registers = 128}, {.registers = 128}), "");
  EXPECT_EQ(over_budget({.registers = 129}, {.registers = 128}),
            "registers_over_budget 1 is over the limit 0; 129 registers of 128");
  EXPECT_THAT(over_budget({.registers = 1, .spill_bytes = 8}, {.registers = 1}),
              HasSubstr("spill_bytes 8 is over"));
  EXPECT_THAT(over_budget({.registers = 1, .stack_bytes = 16}, {.registers = 1}),
              HasSubstr("stack_bytes 16 is over"));
  EXPECT_THAT(over_budget({.registers = 1, .serialized_products = true}, {.registers = 1}),
              HasSubstr("archs_with_serialized_products 1 is over"));
}

TEST(Compile, RefusesUnknownNamesAndListsTheKnownOnes) {
  const auto refused = [](const std::vector<std::string>& arguments, const std::string& words) {
    const CommandResult result = run_command(arguments);
    EXPECT_EQ(result.exit_code, 2) << words;
    EXPECT_THAT(result.err, HasSubstr(words));
  };
  refused({"compile", "--arch", "sm_80,sm_81"}, "arch: 'sm_81' is none of sm_80, sm_86");
  refused({"compile", "--arch", "hopper"}, "arch: 'hopper'");
  refused({"compile", "--variant", "v99"}, "variant: 'v99' is none of cpu, v12_baseline");
  refused({"compile", "--variant", "cpu"}, "variant: cpu runs on the CPU");
  refused({"compile", "--family", "flash"}, "family: 'flash' is none of forward_scalar");
  refused({"compile", "--config", one_config}, "--config requires --family");
  refused({"compile", "--family", "forward_scalar", "--config", "head_dim=0"}, "config: field");
}

TEST(Compile, WithoutACompilerTheMachineLacksWhatWasAsked) {
  const CommandResult result = run_command({"compile"}, {"FLASHCORE_NVRTC=/no/such/libnvrtc.so"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("/no/such/libnvrtc.so"));
}

class CompileWithNvrtc : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!jit::compiler_available()) GTEST_SKIP() << jit::compiler_unavailable_reason();
  }
};

TEST_F(CompileWithNvrtc, ReportsAKernelAndShipsItInAPack) {
  const test::TempDir directory;
  const std::string pack = directory.file("out.pack");
  const CommandResult result =
      run_command(one_kernel({"--arch", "sm_80,sm_90a", "--json", "-", "--pack", pack}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  ASSERT_EQ(report["kernels"].size(), 2U);
  EXPECT_EQ(report["kernels"][1]["arch"], "sm_90a");
  EXPECT_EQ(report["kernels"][0]["config"], one_config);
  EXPECT_EQ(report["kernels"][0]["status"], "pass");
  EXPECT_GT(report["kernels"][0]["registers"].get<int>(), 0);
  const std::vector<jit::PackEntry> entries = jit::read_pack_file(pack);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].source_hash, jit::source_hash(entries[0].spec, sm_80));
  EXPECT_EQ(directory.listing(), "out.pack");
}

TEST_F(CompileWithNvrtc, AFamilyThatShipsNothingHasItsVariantsCompiled) {
  const auto headers = jit::find_header_folders(jit::compiler_file());
  if (const auto missing = jit::missing_header(headers, {"mma.h"}); !missing.empty())
    GTEST_SKIP() << missing;
  const CommandResult result =
      run_command({"compile", "--arch", "sm_89", "--family", "forward_wmma", "--json", "-"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  std::set<std::string> configs;
  const json report = json::parse(result.out);
  for (const auto& kernel : report["kernels"]) configs.insert(kernel["config"]);
  for (const char* pinned : {"products=0,block_q=16", "products=1,block_q=16", "block_q=48"})
    EXPECT_TRUE(std::any_of(configs.begin(), configs.end(), [&](const std::string& config) {
      return config.find(pinned) != std::string::npos;
    })) << pinned;
  EXPECT_EQ(run_command({"compile", "--family", "forward_wmma", "--shipped"}).exit_code, 2);
}

TEST_F(CompileWithNvrtc, PrintsATableForPeople) {
  const CommandResult result = run_command(one_kernel({"--arch", "sm_80"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("registers"));
  EXPECT_THAT(result.out, HasSubstr("sm_80"));
}

TEST_F(CompileWithNvrtc, LeavesNoFileWhereThePackCannotBeWritten) {
  const test::TempDir directory;
  const CommandResult result =
      run_command(one_kernel({"--arch", "sm_80", "--pack", directory.file("no/such/out.pack")}));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("no/such/out.pack"));
  EXPECT_EQ(directory.listing(), "");
}

}  // namespace
}  // namespace flashcore::cli
