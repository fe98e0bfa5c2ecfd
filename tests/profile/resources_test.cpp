#include "profile/resources.h"

#include <gtest/gtest.h>

#include "jit/compiler.h"
#include "profile/profile.h"
#include "support/message_of.h"

namespace flashcore::profile {
namespace {

/// The figures of NVIDIA's occupancy calculator.
TEST(Occupancy, IsBoundByWhateverRunsOutFirst) {
  const core::GpuLimits h100 = core::limits_of({9, 0});
  const Occupancy registers = occupancy_of(h100, 128, 1024, 256);
  EXPECT_EQ(registers.blocks, 2);
  EXPECT_EQ(registers.limited_by, "registers");
  EXPECT_DOUBLE_EQ(registers.percent, 25);
  const Occupancy shared = occupancy_of(h100, 32, 100 * 1024, 128);
  EXPECT_EQ(shared.blocks, 2);
  EXPECT_EQ(shared.limited_by, "shared memory");
  EXPECT_EQ(occupancy_of(h100, 16, 0, 1024).limited_by, "threads");
  EXPECT_EQ(occupancy_of(h100, 16, 0, 32).blocks, 32);
  EXPECT_EQ(occupancy_of(core::limits_of({8, 9}), 16, 0, 32).blocks, 24);
}

TEST(Occupancy, CountsWhatIsAllocatedAndNotWhatIsUsed) {
  const core::GpuLimits h100 = core::limits_of({9, 0});
  EXPECT_EQ(occupancy_of(h100, 33, 0, 128).blocks, 12);         // 40 registers a thread
  EXPECT_EQ(occupancy_of(h100, 32, 57 * 1024, 128).blocks, 3);  // and 1 KiB a block
}

TEST(Occupancy, AKernelThatFitsOnlyOnceIsOnceThere) {
  const Occupancy once = occupancy_of(core::limits_of({9, 0}), 168, 227 * 1024, 384);
  EXPECT_EQ(once.blocks, 1);
  EXPECT_DOUBLE_EQ(once.percent, 18.75);
}

TEST(Resources, OfTheBaselineOnEveryArchitecture) {
  if (!jit::compiler_available()) GTEST_SKIP() << jit::compiler_unavailable_reason();
  const auto resources = resources_of(*dispatch::find_variant("v12_baseline"), profile_problem());
  ASSERT_EQ(resources.size(), core::known_archs.size());
  for (const KernelResources& each : resources) {
    EXPECT_EQ(each.name, "forward_scalar::forward");
    EXPECT_GT(each.report.registers, 16);
    EXPECT_GT(each.shared_bytes, 0);
    EXPECT_EQ(each.threads % 32, 0);
    EXPECT_GE(each.occupancy.blocks, 1);
  }
}

TEST(Resources, ACpuVariantHasNone) {
  EXPECT_EQ(
      test::message_of([] { resources_of(*dispatch::find_variant("cpu"), profile_problem()); }),
      "variant: cpu has no kernels: it runs on the CPU");
}

TEST(InstructionMix, SortsOpcodesAndCountsNoEncodings) {
  const InstructionMix mix = mix_of(R"(
	code for sm_80
		Function : forward
        /*0000*/                   MOV R1, c[0x0][0x28] ;             /* 0x00000a0000017a02 */
                                                                      /* 0x000fe40000000f00 */
        /*0010*/              @!P0 LDG.E.128 R4, [R2.64] ;            /* 0x0000000402047981 */
        /*0020*/                   LDGSTS.E.BYPASS.128 [R3], [R4.64] ;
        /*0030*/                   HMMA.16816.F32 R4, R8, R12, R4 ;
        /*0040*/                   HMMA.16816.F32 R4, R8, R12, R4 ;
        /*0050*/                   LDSM.16.M88.4 R8, [R9] ;
        /*0060*/                   MUFU.EX2 R0, R0 ;
        /*0070*/                   FFMA R0, R1, R2, R3 ;
        /*0080*/               {   FMUL R0, R1, R2 ;
        /*0090*/                   STL [R1], R2 ;
        /*00a0*/                   BAR.SYNC 0x0 ;
        /*00b0*/               @P1 BRA 0x10 ;
		..........
)");
  EXPECT_EQ(mix.at("tensor"), 2);
  EXPECT_EQ(mix.at("global memory"), 1);
  EXPECT_EQ(mix.at("asynchronous copies"), 1);
  EXPECT_EQ(mix.at("shared memory"), 1);
  EXPECT_EQ(mix.at("special functions"), 1);
  EXPECT_EQ(mix.at("fp32 arithmetic"), 2);
  EXPECT_EQ(mix.at("local memory (spills)"), 1);
  EXPECT_EQ(mix.at("barriers"), 1);
  EXPECT_EQ(mix.at("branches"), 1);
  EXPECT_EQ(mix.at("integers, moves and predicates"), 1);
}

}  // namespace
}  // namespace flashcore::profile
