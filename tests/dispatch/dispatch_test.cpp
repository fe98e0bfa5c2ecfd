#include "dispatch/dispatch.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/host_tensor.h"
#include "dispatch/plan_cache.h"
#include "dispatch/selection.h"
#include "dispatch/variants.h"
#include "support/message_of.h"

namespace flashcore::dispatch {
namespace {

core::Problem mission(core::Dtype dtype = core::Dtype::float16, std::int64_t head_dim = 64) {
  return core::contiguous_problem(dtype, 1, 8, 8, 512, 512, head_dim);
}

using test::message_of;

TEST(Selection, EveryGpuFromSm80OnHasAFamilyForTheMission) {
  for (const auto arch : core::known_archs) {
    const Selection selection = select(mission(), core::limits_of(arch));
    ASSERT_NE(selection.family, nullptr) << selection.reason;
    EXPECT_FALSE(selection.reason.empty());
  }
}

TEST(Selection, WhenNoFamilyServesItEveryRefusalIsTold) {
  const Selection selection = select(mission(core::Dtype::float32), core::limits_of({9, 0}));
  EXPECT_EQ(selection.family, nullptr);
  EXPECT_NE(selection.reason.find("the tensors are fp32"), std::string::npos) << selection.reason;
}

/// Nothing but what the families ship: a machine with the default pack and no compiler.
bool in_a_pack(const jit::KernelSpec& spec, core::Arch arch) {
  for (const auto* family : family::all_families())
    for (const auto& config : family->shipped_configs(core::limits_of(arch))) {
      const auto kernels = family->kernels(config);
      if (std::find(kernels.begin(), kernels.end(), spec) != kernels.end()) return true;
    }
  return false;
}

TEST(Selection, WithoutACompilerAShippedConfigServesAndTheReasonSaysSo) {
  const auto gpu = core::limits_of({8, 0});
  // Few keys and many heads: a default that no pack holds.
  const auto problem = core::contiguous_problem(core::Dtype::float16, 4, 8, 8, 256, 256, 64);
  const Selection usual = select(problem, gpu, [](const auto&, auto) { return true; });
  const Selection without = select(problem, gpu, in_a_pack);
  EXPECT_EQ(without.family, usual.family);
  EXPECT_NE(without.config, usual.config);
  for (const auto& spec : without.family->kernels(without.config))
    EXPECT_TRUE(in_a_pack(spec, gpu.arch));
  EXPECT_NE(without.reason.find("is in no pack, and there is no compiler"), std::string::npos)
      << without.reason;
}

TEST(Selection, WithoutACompilerAndAPackForItTheNextFamilyServes) {
  const auto gpu = core::limits_of({8, 0});
  const auto problem = core::contiguous_problem(core::Dtype::bfloat16, 1, 8, 8, 512, 512, 256);
  const Selection selection = select(problem, gpu, in_a_pack);
  ASSERT_NE(selection.family, nullptr) << selection.reason;
  EXPECT_EQ(selection.family->name(), "forward_scalar");
  EXPECT_NE(selection.reason.find("forward_mma's default Config"), std::string::npos);
}

TEST(Selection, OnHopperTheFamilyOfItsOwnInstructionsServesAndPacksHoldItsDefaults) {
  const auto gpu = core::limits_of({9, 0, true});
  for (const int seq : {32, 512, 4096})
    for (const int head_dim : {64, 128, 256}) {
      const auto problem =
          core::contiguous_problem(core::Dtype::bfloat16, 4, 16, 16, seq, seq, head_dim);
      const Selection selection = select(problem, gpu, in_a_pack);
      ASSERT_NE(selection.family, nullptr) << selection.reason;
      EXPECT_EQ(selection.family->name(), "forward_tma_wgmma") << selection.reason;
    }
}

TEST(Selection, AFasterFamilyThatPrefersAnotherForTheProblemSaysWhy) {
  const auto gpu = core::limits_of({9, 0, true});
  const auto decode = core::contiguous_problem(core::Dtype::float16, 1, 8, 1, 1, 65536, 128);
  const Selection selection = select(decode, gpu, [](const auto&, auto) { return true; });
  ASSERT_NE(selection.family, nullptr) << selection.reason;
  EXPECT_EQ(selection.family->name(), "forward_mma");
  EXPECT_NE(selection.reason.find("forward_tma_wgmma would use 8 of 132 multiprocessors"),
            std::string::npos)
      << selection.reason;
}

TEST(Selection, WithoutAnyKernelTheReasonNamesEveryFamily) {
  const Selection selection =
      select(mission(), core::limits_of({8, 0}), [](const auto&, auto) { return false; });
  EXPECT_EQ(selection.family, nullptr);
  for (const auto* family : family::all_families())
    EXPECT_NE(selection.reason.find(family->name()), std::string::npos) << selection.reason;
}

TEST(Dispatch, TheCpuServesEveryDtype) {
  for (const auto dtype : core::all_dtypes)
    EXPECT_TRUE(supports(mission(dtype), {Backend::cpu, 0}));
}

TEST(Plan, AGpuFamilyPinnedOnTheCpuIsRefused) {
  EXPECT_EQ(message_of([] {
              Plan(mission(), {Backend::cpu, 0}, {.family = "forward_scalar", .config = {}});
            }),
            "family: forward_scalar does not run on the CPU");
}

TEST(Plan, AWorkspaceThatIsTooSmallIsRefusedBeforeAnythingIsWritten) {
  auto call = core::HostCall::random(mission(core::Dtype::float32), 1);
  const Plan plan(call.problem, {Backend::cpu, 0}, {});
  if (plan.workspace_bytes() == 0) GTEST_SKIP() << "the CPU backend needs no workspace";
  EXPECT_NE(message_of([&] { plan.run(call.arguments(), nullptr); }).find("needed"),
            std::string::npos);
  EXPECT_TRUE(std::isnan(call.o.at(0)));
}

TEST(Plan, TheEmulatorServesInHostMemoryWithTheKernelThatThatGpuWouldRun) {
  const Device emulator{.backend = Backend::emulator, .arch = {8, 6}};
  const auto problem = core::contiguous_problem(core::Dtype::float16, 1, 2, 1, 40, 50, 64);
  const Plan plan(problem, emulator, {});
  const auto* family = family::find_family(plan.choice().family);
  ASSERT_NE(family, nullptr);
  EXPECT_EQ(plan.choice().config,
            family->default_config(problem, core::limits_of({8, 6})).to_string());
  auto call = core::HostCall::random(problem, 1);
  core::HostTensor workspace(core::Dtype::float32,
                             static_cast<std::int64_t>(plan.workspace_bytes() / 4 + 1));
  core::Arguments arguments = call.arguments();
  arguments.workspace = workspace.data();
  arguments.workspace_bytes = plan.workspace_bytes();
  plan.run(arguments, nullptr);
  for (std::int64_t i = 0; i < call.o.elements(); ++i) ASSERT_TRUE(std::isfinite(call.o.at(i)));
}

TEST(Plan, WhatTheEmulatorFindsIsTheCallsError) {
  const Device emulator{.backend = Backend::emulator};
  auto problem = core::contiguous_problem(core::Dtype::float16, 1, 1, 1, 40, 50, 64);
  const Plan plan(problem, emulator, {.family = "forward_scalar", .config = {}});
  auto call = core::HostCall::random(problem, 1);
  core::Arguments arguments = call.arguments();
  arguments.v = nullptr;  // no memory of the call's
  const std::string message = message_of([&] { plan.run(arguments, nullptr); });
  EXPECT_EQ(message.find("forward_scalar element="), 0U) << message;
  EXPECT_NE(message.find("kernels/forward_scalar/kernel.cuh:"), std::string::npos) << message;
}

TEST(Plan, OnlyAPlanForTheEmulatorIsEmulated) {
  auto call = core::HostCall::random(mission(core::Dtype::float32), 1);
  const Plan plan(call.problem, {Backend::cpu, 0}, {});
  EXPECT_EQ(message_of([&] { (void)plan.run_emulated(call.arguments(), {}); }),
            "device: the plan is for cpu, not for the emulator");
}

TEST(PlanCache, TheSameProblemFindsTheSamePlanAndAnotherDoesNot) {
  const Device cpu{Backend::cpu, 0};
  const Plan& first = PlanCache::instance().get(mission(), cpu);
  EXPECT_EQ(&first, &PlanCache::instance().get(mission(), cpu));
  EXPECT_NE(&first, &PlanCache::instance().get(mission(core::Dtype::bfloat16), cpu));
  auto strided = mission();
  strided.o_strides.batch += 64;
  EXPECT_NE(&first, &PlanCache::instance().get(strided, cpu));
}

TEST(Variants, NamesAreUniqueAndFamiliesExist) {
  for (const Variant& variant : all_variants()) {
    EXPECT_EQ(find_variant(variant.name), &variant);
    if (variant.backend == Backend::cuda) {
      EXPECT_NE(family::find_family(variant.family), nullptr) << variant.name;
    }
  }
  EXPECT_EQ(find_variant("v13"), nullptr);
}

TEST(Variants, EachIsAValidConfigForTheMissionOnEveryGpuOfItsFamily) {
  for (const Variant& variant : all_variants()) {
    if (variant.backend != Backend::cuda) continue;
    const auto* family = family::find_family(variant.family);
    ASSERT_NE(family, nullptr) << variant.name;
    const auto fields = pinned_of(variant).config.value_or(family::ConfigFields{});
    for (const core::Arch arch : family->archs())
      for (const core::Dtype dtype : {core::Dtype::float16, core::Dtype::bfloat16}) {
        const auto gpu = core::limits_of(arch);
        const auto mission = core::contiguous_problem(dtype, 1, 8, 8, 512, 512, 64);
        const auto config = family::overlaid(family->default_config(mission, gpu), fields);
        EXPECT_TRUE(family->valid(config, gpu)) << variant.name << ' ' << arch.to_string() << ": "
                                                << family->valid(config, gpu).reason();
      }
  }
}

TEST(Variants, AVariantThatCannotRunHereSaysWhy) {
  for (const Variant& variant : all_variants()) {
    const auto support = runs_here(variant);
    EXPECT_EQ(static_cast<bool>(support), support.reason().empty()) << variant.name;
  }
  EXPECT_TRUE(runs_here(*find_variant("cpu")));
}

}  // namespace
}  // namespace flashcore::dispatch
