// A whole case with a real worker, sound and misbehaving.
#include "bench/run_case.h"

#include <gtest/gtest.h>

#include <array>

#include "bench/roofline.h"

namespace flashcore::bench {
namespace {

using gate::CaseRecord;
using gate::Verdict;

core::Problem tiny_problem() {
  return core::contiguous_problem(core::Dtype::float32, 1, 2, 1, 24, 32, 16);
}

CaseOptions options_with(const Fault& fault = {}) {
  CaseOptions options;
  options.worker_command = {FLASHCORE_COMMAND, "worker"};
  options.rounds = 3;
  options.fault = fault;
  if (fault.kind == "hang") options.phase_limit = std::chrono::duration<double>(1);
  return options;
}

CaseRecord run_cpu(const CaseOptions& options, TorchPeer* peer = nullptr) {
  return run_case(*dispatch::find_variant("cpu"), tiny_problem(), options, peer);
}

TEST(RunCase, TheCpuVariantPassesWhatCanBeJudged) {
  const CaseRecord record = run_cpu(options_with());
  for (const char* gate : {"correctness", "determinism", "stability", "safety"})
    EXPECT_EQ(record.gates.at(gate).verdict, Verdict::pass)
        << gate << ": " << record.gates.at(gate).detail;
  EXPECT_EQ(record.gates.at("ptxas").verdict, Verdict::skipped);
  EXPECT_EQ(record.gates.at("latency").verdict, Verdict::skipped);
  ASSERT_TRUE(record.timing);
  EXPECT_GT(record.timing->cold.median, 0);
  EXPECT_EQ(record.timing->cold.samples, 6);  // measured twice a round
  EXPECT_EQ(record.cold_turns.first.size(), 3U);
  EXPECT_EQ(record.cold_turns.again.size(), 3U);
  EXPECT_NE(record.config.find("simd="), std::string::npos) << record.config;
}

TEST(RunCase, AVariantThatCannotRunHereIsSkippedWithTheReasonAndStillCompiled) {
  const auto& variant = *dispatch::find_variant("v12_baseline");
  if (dispatch::runs_here(variant)) GTEST_SKIP() << "this machine has a GPU";
  const CaseRecord record = run_case(variant, tiny_problem(), options_with(), nullptr);
  EXPECT_EQ(record.gates.at("correctness").verdict, Verdict::skipped);
  EXPECT_EQ(record.gates.at("correctness").detail, dispatch::runs_here(variant).reason());
  EXPECT_EQ(record.gates.size(), gate::gate_names.size());
  EXPECT_FALSE(record.timing);
}

struct Misbehaviour {
  const char* kind;
  const char* reason;
};

class RunCaseFault : public testing::TestWithParam<Misbehaviour> {};

TEST_P(RunCaseFault, FailsItsOwnGateWithTheReasonAndTheRestGoesOn) {
  const CaseRecord record = run_cpu(options_with({"determinism", GetParam().kind}));
  const gate::GateResult& result = record.gates.at("determinism");
  EXPECT_EQ(result.verdict, Verdict::fail);
  EXPECT_NE(result.detail.find(GetParam().reason), std::string::npos) << result.detail;
  for (const char* gate : {"correctness", "stability", "safety"})
    EXPECT_EQ(record.gates.at(gate).verdict, Verdict::pass)
        << gate << ": " << record.gates.at(gate).detail;
  EXPECT_TRUE(record.timing);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, RunCaseFault,
    testing::Values(Misbehaviour{"crash", "the worker crashed with SIGSEGV, in determinism"},
                    Misbehaviour{"hang", "the worker gave no answer within 1 s"},
                    Misbehaviour{"garbage", "the worker answered with what is not a reply"},
                    Misbehaviour{"exit", "the worker exited with status 7"}),
    [](const auto& fault) { return fault.param.kind; });

TEST(RunCase, ACrashWhileTimingFailsTheLatencyGateAndRecordsNoTime) {
  const CaseRecord record = run_cpu(options_with({"measure", "crash"}));
  EXPECT_EQ(record.gates.at("latency").verdict, Verdict::fail);
  EXPECT_FALSE(record.timing);
}

TEST(RunCase, AWorkerThatCannotBeStartedFailsEveryGate) {
  CaseOptions options = options_with();
  options.worker_command = {"/nonexistent/flashcore", "worker"};
  const CaseRecord record = run_cpu(options);
  for (const std::string_view gate : gate::gate_names)
    EXPECT_EQ(record.gates.at(std::string{gate}).verdict, Verdict::fail) << gate;
}

TorchPeer fake_peer(const std::string& after_prepare) {
  const std::string script =
      R"(read r; echo '{"ok": true, "version": "9.9"}'; )"
      R"(read r; echo '{"ok": true, "backends": [{"name": "cpu", "not_measured": ""}]}'; )";
  return TorchPeer({"sh", "-c", script + after_prepare}, std::chrono::seconds(5));
}

TEST(RunCase, IsComparedWithThePeerRoundByRound) {
  TorchPeer peer = fake_peer(
      R"(while read r; do echo '{"ok": true, "cold_us": 1e6, "warm_us": 1e6, "eager_us": 1e6}'; done)");
  const CaseRecord record = run_cpu(options_with(), &peer);
  ASSERT_TRUE(record.best_peer);
  EXPECT_EQ(record.best_peer->peer, "torch_sdpa cpu");
  EXPECT_EQ(record.best_peer->ratio.samples, 3);
  EXPECT_LT(record.best_peer->ratio.median, 1);
  EXPECT_EQ(record.gates.at("latency").verdict, Verdict::pass) << record.gates.at("latency").detail;
}

TEST(RunCase, APeerThatIsFasterFailsTheLatencyGate) {
  TorchPeer peer = fake_peer(
      R"(while read r; do echo '{"ok": true, "cold_us": 1e-3, "warm_us": 1e-3, "eager_us": 1e-3}'; done)");
  CaseOptions options = options_with();
  options.rounds = 15;  // on a busy machine three may be all noise
  EXPECT_EQ(run_cpu(options, &peer).gates.at("latency").verdict, Verdict::fail);
}

TEST(RunCase, APeerThatDiesInTheMiddleIsNotMeasured) {
  TorchPeer peer = fake_peer(
      R"(read r; echo '{"ok": true, "cold_us": 1, "warm_us": 1, "eager_us": 1}'; read r; kill -9 $$)");
  const CaseRecord record = run_cpu(options_with(), &peer);
  ASSERT_EQ(record.peers.size(), 1U);
  EXPECT_FALSE(record.peers[0].timing);
  EXPECT_EQ(record.peers[0].not_measured, "crashed with SIGKILL");
  EXPECT_FALSE(record.best_peer);
  EXPECT_TRUE(record.timing);
}

TEST(RunCases, SeveralVariantsShareTheRoundsAndThePeer) {
  TorchPeer peer = fake_peer(
      R"(while read r; do echo '{"ok": true, "cold_us": 50, "warm_us": 50, "eager_us": 50}'; done)");
  const dispatch::Variant* cpu = dispatch::find_variant("cpu");
  const std::array both{cpu, cpu};
  const auto records = run_cases(both, tiny_problem(), options_with(), &peer);
  ASSERT_EQ(records.size(), 2U);
  for (const CaseRecord& record : records) {
    EXPECT_EQ(record.gates.at("stability").verdict, Verdict::pass);
    ASSERT_TRUE(record.timing);
    EXPECT_EQ(record.timing->cold.samples, 6);
    ASSERT_EQ(record.peers.size(), 1U);
    ASSERT_TRUE(record.peers[0].comparison);
    EXPECT_EQ(record.peers[0].comparison->ratio.samples, 3);
  }
}

TEST(RunCases, GatesThatAreLeftOutAreSkippedAndTheRestIsRun) {
  CaseOptions options = options_with();
  options.gates_left_out = {"stability"};
  const CaseRecord record = run_cpu(options);
  EXPECT_EQ(record.gates.at("stability").verdict, Verdict::skipped);
  EXPECT_EQ(record.gates.at("stability").detail, "not asked for");
  EXPECT_EQ(record.gates.at("correctness").verdict, Verdict::pass);
}

TEST(RunCases, WithoutTheLatencyGateNothingIsTimed) {
  CaseOptions options =
      options_with({.phase = "start_timing", .kind = "crash"});  // if it were asked
  options.gates_left_out = {"latency"};
  const CaseRecord record = run_cpu(options);
  EXPECT_FALSE(record.timing);
  EXPECT_EQ(record.gates.at("latency").verdict, Verdict::skipped);
  EXPECT_EQ(record.gates.at("latency").detail, "not asked for");
  EXPECT_EQ(record.gates.at("stability").verdict, Verdict::pass);
}

TEST(RunCases, ASoundWorkerServesTheNextCaseAndALostOneDoesNot) {
  WorkerPool pool;
  CaseOptions options = options_with();
  options.workers = &pool;
  run_cpu(options);
  std::unique_ptr<Child> idle = pool.take();
  ASSERT_NE(idle, nullptr);
  EXPECT_TRUE(idle->alive());
  const Child* first = idle.get();
  pool.give_back(std::move(idle));
  run_cpu(options);
  idle = pool.take();
  EXPECT_EQ(idle.get(), first);
  EXPECT_EQ(pool.take(), nullptr);

  CaseOptions faulty = options_with({"check_outputs", "crash"});
  faulty.workers = &pool;
  EXPECT_EQ(run_cpu(faulty).gates.at("latency").verdict, Verdict::fail);
  EXPECT_EQ(pool.take(), nullptr);
}

TEST(Rotation, ExceedsTheFootprintAndUsesEverySetEquallyOften) {
  const Rotation mission = plan_rotation(2.0 * (1 << 20), std::int64_t{100} << 20, 5, 50);
  EXPECT_GE(mission.sets * (2 << 20), mission.footprint_bytes);
  EXPECT_EQ(mission.launches % mission.sets, 0);
  EXPECT_GE(mission.launches, 50);
  const Rotation large = plan_rotation(268e6, std::int64_t{100} << 20, 4000, 50);
  EXPECT_EQ(large.sets, 1);
  EXPECT_EQ(large.launches, 2);  // 10 ms of launches are enough, but more than one
  const Rotation slow = plan_rotation(268e6, std::int64_t{100} << 20, 5e6, 50);
  EXPECT_EQ(slow.launches, 1);
}

TEST(Roofline, OfAnH100IsItsMemoryOrItsMatrixUnitsWhicheverTakesLonger) {
  cuda::DeviceInfo device;
  device.limits = core::limits_of({9, 0});
  device.clock_khz = 1'980'000;
  device.memory_clock_khz = 2'619'000;
  device.memory_bus_bits = 5120;
  device.l2_bytes = 50 << 20;
  const core::Problem decode =
      core::contiguous_problem(core::Dtype::float16, 1, 8, 8, 1, 65536, 64);
  // 128 MiB of keys and values at 3.35 TB/s, half of which L2 may have kept.
  EXPECT_NEAR(gpu_bound_us(decode, device, 100 << 20), 20, 0.1);
  const core::Problem heavy =
      core::contiguous_problem(core::Dtype::float16, 1, 16, 16, 16384, 16384, 128);
  EXPECT_NEAR(heavy.flops() / gpu_bound_us(heavy, device, 1e9) / 1e6, 1070, 10);  // TFLOP/s
}

TEST(Roofline, ACpuCallThatDoesNothingIsAboveIt) {
  const core::Problem mission =
      core::contiguous_problem(core::Dtype::float16, 1, 8, 8, 512, 512, 64);
  EXPECT_GT(cpu_bound_us(mission, 2), 5);
}

}  // namespace
}  // namespace flashcore::bench
