// The emulator's checks find what is wrong with small broken kernels, and nothing in the same
// kernels without their mistake.
#include <gmock/gmock.h>

#include <cmath>
#include <sstream>

#include "emulate/launch.h"
#include "kernels/broken/params.h"
#include "small_kernel.h"
#include "support/message_of.h"

namespace flashcore::emulate {
namespace {

using broken::Case;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const host::Module& broken_module() {
  static const host::Module& module = small_kernel("broken");
  return module;
}

/// The number of the line of broken/kernel.cuh that holds the text; of several, of the first after
/// `from`.
std::string line_of(const std::string& text, const std::string& from = "") {
  std::istringstream lines(small_kernel_text("broken/kernel.cuh"));
  std::string line;
  bool reached = from.empty();
  for (int number = 1; std::getline(lines, line); ++number) {
    reached = reached || line.find(from) != std::string::npos;
    if (reached && line.find(text) != std::string::npos)
      return "broken/kernel.cuh:" + std::to_string(number);
  }
  return "no line with " + text;
}

Report run(Case which, bool is_broken, std::uint64_t seed = 0, unsigned threads = broken::threads) {
  alignas(16) static float in[broken::input_floats];
  static std::vector<float> out;
  out.assign(broken::threads, 0.0F);
  const broken::Params params{which, is_broken, in, out.data()};
  return launch(broken_module(), {.block = threads, .shared_bytes = broken::shared_bytes}, &params,
                {.seed = seed,
                 .buffers = {{in, sizeof(in), "in", false},
                             {out.data(), out.size() * sizeof(float), "out", true}},
                 .label = "broken"});
}

std::string findings(const Report& report) {
  std::string text;
  for (const Finding& finding : report.findings) text += finding.to_string() + '\n';
  return text;
}

struct Expected {
  Case which;
  FindingKind kind;
  std::string function;            // of broken/kernel.cuh, that holds the mistake
  std::string statement;           // where it is noticed; empty: nowhere
  std::vector<std::string> words;  // of the message
};

void PrintTo(const Expected& expected, std::ostream* stream) {
  *stream << expected.function;
}

class Checks : public ::testing::TestWithParam<Expected> {};

TEST_P(Checks, FindTheMistake) {
  const Expected& expected = GetParam();
  const Report report = run(expected.which, true);
  ASSERT_EQ(report.findings.size(), 1U);
  const std::string message = report.findings[0].to_string();
  EXPECT_EQ(report.findings[0].kind, expected.kind) << message;
  EXPECT_THAT(message, StartsWith("broken: block 0"));
  if (!expected.statement.empty()) {
    EXPECT_THAT(message, HasSubstr(line_of(expected.statement, expected.function + '(')));
  }
  for (const std::string& words : expected.words) EXPECT_THAT(message, HasSubstr(words));
}

TEST_P(Checks, FindItInOtherSchedulesToo) {
  for (std::uint64_t seed = 1; seed < 6; ++seed) {
    const Report report = run(GetParam().which, true, seed);
    ASSERT_EQ(report.findings.size(), 1U) << "seed " << seed;
    EXPECT_EQ(findings(report), findings(run(GetParam().which, true, seed))) << "seed " << seed;
  }
}

TEST_P(Checks, FindNothingWithoutIt) {
  for (std::uint64_t seed = 0; seed < 8; ++seed)
    EXPECT_EQ(findings(run(GetParam().which, false, seed)), "") << "seed " << seed;
}

INSTANTIATE_TEST_SUITE_P(
    Races, Checks,
    ::testing::Values(Expected{Case::missing_barrier,
                               FindingKind::race,
                               "missing_barrier",
                               "shared_floats()[thread] = 1.0F",
                               {"thread 29, ",
                                "writes 4 bytes of shared memory, of which byte 116 thread 61 read",
                                "no barrier lies between"}},
                      Expected{Case::missing_barrier_before_overwriting,
                               FindingKind::race,
                               "missing_barrier_before_overwriting",
                               "shared_floats()[thread ^ 32]",
                               {"thread 61 wrote", "no barrier lies between"}},
                      Expected{Case::missing_warp_barrier,
                               FindingKind::race,
                               "missing_warp_barrier",
                               "shared_floats()[thread] = 1.0F",
                               {"no barrier lies between"}},
                      Expected{Case::shuffle_for_a_warp_barrier,
                               FindingKind::race,
                               "shuffle_for_a_warp_barrier",
                               "shared_floats()[thread ^ 1]",
                               {"no barrier lies between"}},
                      Expected{Case::missing_barrier_in_global_memory,
                               FindingKind::race,
                               "missing_barrier_in_global_memory",
                               "params.g_out[thread] = 1.0F",
                               {"writes 4 bytes of out, of which byte 4 thread 0 wrote",
                                "no barrier lies between"}},
                      Expected{Case::missing_barrier_after_init,
                               FindingKind::race,
                               "missing_barrier_after_init",
                               "device::arrive",
                               {"which thread 0 initialised at", "no barrier lies between"}}));

INSTANTIATE_TEST_SUITE_P(
    Copies, Checks,
    ::testing::Values(Expected{Case::missing_wait,
                               FindingKind::pending_copy,
                               "missing_wait",
                               "params.g_out",
                               {"thread 0, ", "an asynchronous copy that thread 0 started at",
                                "has not been waited for"}},
                      Expected{Case::wait_for_too_few,
                               FindingKind::pending_copy,
                               "wait_for_too_few",
                               "params.g_out",
                               {"of which byte 1024", "has not been waited for"}},
                      Expected{Case::missing_barrier_after_wait,
                               FindingKind::race,
                               "missing_barrier_after_wait",
                               "",
                               {"no barrier lies between"}},
                      Expected{Case::copy_over_what_is_read,
                               FindingKind::race,
                               "copy_over_what_is_read",
                               "params.g_out",
                               {"no barrier lies between that thread's wait and this"}},
                      Expected{Case::missing_mbarrier_wait,
                               FindingKind::pending_copy,
                               "missing_mbarrier_wait",
                               "params.g_out",
                               {"thread 27 started at", "has not been waited for"}}));

INSTANTIATE_TEST_SUITE_P(
    Barriers, Checks,
    ::testing::Values(
        Expected{Case::extra_arrival,
                 FindingKind::race,
                 "through_mbarrier",
                 "params.g_out",
                 {"thread 28 wrote", "no barrier lies between"}},
        Expected{Case::count_too_small,
                 FindingKind::race,
                 "through_mbarrier",
                 "params.g_out",
                 {"thread 28 wrote", "no barrier lies between"}},
        Expected{Case::missing_arrival,
                 FindingKind::deadlock,
                 "through_mbarrier",
                 "device::wait",
                 {"threads 32-63 wait for the mbarrier at byte 0, 31 of whose 32 arrivals have "
                  "come in phase 0",
                  "; threads 0-31 have left the kernel"}},
        Expected{Case::arrivals_that_nobody_counts,
                 FindingKind::barrier,
                 "arrivals_that_nobody_counts",
                 "device::init",
                 {"the mbarrier at byte 0 is left with 1 of 64 arrivals in phase 1"}},
        Expected{Case::missing_init,
                 FindingKind::barrier,
                 "missing_init",
                 "device::arrive",
                 {"arrives at the mbarrier at byte 0, which nobody has initialised"}},
        Expected{Case::barrier_that_a_warp_misses,
                 FindingKind::deadlock,
                 "barrier_that_a_warp_misses",
                 "device::block_barrier",
                 {"threads 0-31 wait in block_barrier, where 32 of 64 threads have arrived",
                  "; threads 32-63 have left the kernel"}},
        Expected{Case::two_kinds_of_barrier,
                 FindingKind::divergence,
                 "two_kinds_of_barrier",
                 "device::block_any",
                 {"executes block_any while others of its block wait in block_barrier"}}));

INSTANTIATE_TEST_SUITE_P(
    Warps, Checks,
    ::testing::Values(
        Expected{
            Case::divergent_shuffle,
            FindingKind::divergence,
            "divergent_shuffle",
            "device::block_barrier",
            {"thread 16, ", "executes block_barrier while others of its warp wait in shuffle"}},
        Expected{Case::different_collectives,
                 FindingKind::divergence,
                 "different_collectives",
                 "device::warp_any",
                 {"executes warp_any of its whole warp, while threads 0-15 wait in shuffle"}},
        Expected{Case::lane_that_left,
                 FindingKind::divergence,
                 "lane_that_left",
                 "device::shuffle_xor",
                 {"thread 37: leaves the kernel, and lanes of its warp wait for it in shuffle"}},
        Expected{Case::barrier_in_a_branch,
                 FindingKind::divergence,
                 "barrier_in_a_branch",
                 "device::block_barrier",
                 {"executes block_barrier while others of its warp wait in block_barrier"}}));

INSTANTIATE_TEST_SUITE_P(
    Memory, Checks,
    ::testing::Values(
        Expected{Case::off_by_one_tile,
                 FindingKind::out_of_bounds,
                 "off_by_one_tile",
                 "sum +=",
                 {"reads 4 bytes 0 bytes past the end of in, which has 1024"}},
        Expected{
            Case::unwritten_row,
            FindingKind::unwritten,
            "unwritten_row",
            "params.g_out",
            {"thread 0, ", "reads 4 bytes of shared memory, of which byte 2016 was never written"}},
        Expected{Case::past_shared_memory,
                 FindingKind::out_of_bounds,
                 "past_shared_memory",
                 "= 1.0F",
                 {"thread 63, ", "writes 4 bytes at byte 4096 of shared memory, which has 4096"}},
        Expected{Case::past_the_output,
                 FindingKind::out_of_bounds,
                 "past_the_output",
                 "= 1.0F",
                 {"thread 63, ", "writes 4 bytes 0 bytes past the end of out, which has 256"}},
        Expected{Case::write_to_an_input,
                 FindingKind::out_of_bounds,
                 "write_to_an_input",
                 "= 1.0F",
                 {"writes 4 bytes at byte 0 of in, which has 1024, and is an input"}},
        Expected{Case::misaligned_vector,
                 FindingKind::misaligned,
                 "misaligned_vector",
                 "",
                 {"thread 3, ", "must be aligned to 16 bytes is at byte 52 of shared memory"}},
        Expected{Case::misaligned_global_vector,
                 FindingKind::misaligned,
                 "misaligned_global_vector",
                 "",
                 {"must be aligned to 16 bytes is at byte 8 of in"}},
        Expected{Case::misaligned_copy,
                 FindingKind::misaligned,
                 "misaligned_copy",
                 "device::copy_async_16",
                 {"must be aligned to 16 bytes is at byte 8 of shared memory"}}));

/// Bank conflicts of ldmatrix and of the store before it.
std::uint64_t conflicts(bool is_broken) {
  const Report report = run(Case::unswizzled_store, is_broken);
  EXPECT_EQ(findings(report), "");
  std::uint64_t excess = 0;
  for (const SiteCounts& site : report.counts.sites)
    if (site.kind == AccessKind::shared_store || site.kind == AccessKind::shared_matrix)
      excess += site.excess();
  return excess;
}

TEST(ChecksCount, AnUnswizzledStoreConflictsWhereASwizzledOneDoesNot) {
  EXPECT_EQ(conflicts(false), 0U);
  // Two warps, each with four phases of eight rows that begin in the same bank.
  EXPECT_EQ(conflicts(true), 2U * 4 * 7);
}

TEST(ChecksWarps, AWarpThatIsNotWholeCannotExecuteAWarpInstruction) {
  const Report report = run(Case::divergent_shuffle, false, 0, 48);
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_THAT(report.findings[0].to_string(),
              HasSubstr("executes shuffle of its whole warp, of which 16 lanes exist"));
}

TEST(ChecksOff, FindNothing) {
  alignas(16) float in[broken::input_floats] = {};
  std::vector<float> out(broken::threads);
  const broken::Params params{Case::missing_wait, true, in, out.data()};
  EXPECT_EQ(findings(launch(broken_module(), {.block = broken::threads, .shared_bytes = 4096},
                            &params, {.checks = false, .buffers = {}, .label = {}})),
            "");
  EXPECT_TRUE(std::isnan(out[0]));  // the copy lands when it is waited for
}

TEST(ChecksOfManyBlocks, KeepOneFindingOfABlockAndCountTheRest) {
  alignas(16) float in[broken::input_floats] = {};
  std::vector<float> out(broken::threads);
  const broken::Params params{Case::past_the_output, true, in, out.data()};
  const Report report =
      launch(broken_module(), {.grid = 50, .block = broken::threads}, &params,
             {.buffers = {{out.data(), 4 * out.size(), "out", true}}, .label = {}});
  ASSERT_EQ(report.findings.size(), most_findings);
  EXPECT_EQ(report.more_findings, 50 - most_findings);
  EXPECT_EQ(report.findings.back().block, static_cast<long long>(most_findings) - 1);
}

TEST(Launch, RefusesWhatNoGpuTakes) {
  const broken::Params params{};
  const auto message = [&](const cuda::LaunchShape& shape) {
    return test::message_of([&] { launch(broken_module(), shape, &params, {}); });
  };
  EXPECT_THAT(message({.block = 1025}), HasSubstr("1 blocks of 1025 threads"));
  EXPECT_THAT(message({.grid = 0}), HasSubstr("0 blocks"));
  EXPECT_THAT(message({.shared_bytes = 1 << 20}), HasSubstr("1048576 bytes of shared memory"));
  const host::Module old{0, nullptr};
  EXPECT_THAT(test::message_of([&] { launch(old, {}, &params, {}); }), HasSubstr("version 0"));
}

}  // namespace
}  // namespace flashcore::emulate
