// Peers that are absent, die, hang or talk nonsense are "not measured", with the reason.
#include "bench/peer.h"

#include <gtest/gtest.h>

#include <thread>

#include "core/error.h"
#include "gate/rules.h"
#include "support/temp_dir.h"

namespace flashcore::bench {
namespace {

constexpr const char* hello = R"(read r; echo '{"ok": true, "version": "9.9"}'; )";
constexpr const char* prepared =
    R"(read r; echo '{"ok": true, "backends": [{"name": "cpu", "not_measured": ""}]}'; )";

TorchPeer peer_that(const std::string& script, double limit_s = 10) {
  return TorchPeer({"sh", "-c", script}, std::chrono::duration<double>(limit_s));
}

PeerTask task(bool on_gpu = false) {
  return {.problem = gate::mission_problem(),
          .on_gpu = on_gpu,
          .ordinal = 0,
          .threads = 1,
          .seed = 1,
          .rotation = {}};
}

std::string not_measured(TorchPeer peer) {
  const auto backends = peer.prepare(task());
  EXPECT_EQ(backends.size(), 1U);
  return backends.empty() ? "" : backends.front().not_measured;
}

TEST(TorchPeer, ReportsVersionBackendsAndTimes) {
  TorchPeer peer =
      peer_that(std::string{hello} + prepared +
                R"(read r; echo '{"ok": true, "cold_us": 3, "warm_us": 2, "eager_us": 4}')");
  const auto backends = peer.prepare(task());
  ASSERT_EQ(backends.size(), 1U);
  EXPECT_EQ(backends[0].name, "cpu");
  EXPECT_EQ(peer.version(), "9.9");
  EXPECT_EQ(peer.measure("cpu").cold_us, 3);
}

TEST(TorchPeer, AbsentTorchIsAReasonAndNotAnError) {
  EXPECT_EQ(not_measured(peer_that(R"(read r; echo '{"ok": false, "error": "no torch"}')")),
            "no torch");
  EXPECT_EQ(not_measured(TorchPeer({"/nonexistent/python"}, std::chrono::seconds(5))),
            "/nonexistent/python cannot be started: No such file or directory");
}

TEST(TorchPeer, NamesEveryGpuBackendThatIsMissing) {
  TorchPeer peer = peer_that(R"(read r; echo '{"ok": false, "error": "no torch"}')");
  const auto backends = peer.prepare(task(true));
  ASSERT_EQ(backends.size(), 3U);
  EXPECT_EQ(backends[1].name, "cudnn");
  EXPECT_EQ(backends[1].not_measured, "no torch");
}

TEST(TorchPeer, IsAskedForTheBackendsChosen) {
  TorchPeer peer({"sh", "-c", R"(read r; echo '{"ok": false, "error": "no torch"}')"},
                 std::chrono::seconds(5), {"flash"});
  const auto backends = peer.prepare(task(true));
  ASSERT_EQ(backends.size(), 1U);
  EXPECT_EQ(backends[0].name, "flash");
  EXPECT_EQ(peer.prepare(task(false)).at(0).not_measured, "SDPA has no such backend on the CPU");
}

TEST(TorchPeer, KeepsWhatTheMachineReached) {
  TorchPeer peer = peer_that(
      std::string{hello} +
      R"(read r; echo '{"ok": true, "backends": [], "ceilings": {"matmul_tflops": 700, "copy_gb_per_s": 2400}}')");
  peer.prepare(task());
  EXPECT_EQ(peer.ceilings().matmul_tflops, 700);
  EXPECT_EQ(peer.ceilings().copy_gb_per_s, 2400);
}

TEST(TorchPeer, StartedEarlyByAThreadThatEndsItStaysUp) {
  TorchPeer peer = peer_that(std::string{hello} + prepared + "sleep 60");
  std::thread([&] { peer.start_early(task()); }).join();
  EXPECT_EQ(peer.version(), "9.9");
  EXPECT_EQ(peer.prepare(task()).front().not_measured, "");
}

TEST(ParsePeers, NamesBackendsOneByOne) {
  EXPECT_FALSE(parse_peers("none").torch);
  EXPECT_TRUE(parse_peers("torch").torch);
  EXPECT_TRUE(parse_peers("torch").backends.empty());
  EXPECT_EQ(parse_peers("torch:flash,torch:cudnn").backends,
            (std::vector<std::string>{"flash", "cudnn"}));
  for (const char* wrong : {"", "jax", "torch:fast", "flash", "torch:flash,", "torch,none"})
    EXPECT_THROW(parse_peers(wrong), core::Error) << wrong;
}

TEST(TorchPeer, DoesNotWaitTwiceForOneThatHangs) {
  TorchPeer peer = peer_that("sleep 60", 0.3);
  EXPECT_EQ(peer.prepare(task()).front().not_measured,
            "gave no answer within 0.3 s and was stopped");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(peer.prepare(task()).front().not_measured,
            "gave no answer within 0.3 s and was stopped");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(200));
}

TEST(TorchPeer, GarbageAndDeathAreReasons) {
  EXPECT_EQ(not_measured(peer_that("echo hello world; sleep 60")),
            "answered with what is not a reply: 'hello world'");
  EXPECT_EQ(not_measured(peer_that(std::string{hello} + "read r; kill -9 $$")),
            "crashed with SIGKILL");
  EXPECT_EQ(not_measured(peer_that(std::string{hello} + R"(read r; echo '{"ok": true}'; sleep 9)")),
            "answer: backends is missing");
}

TEST(TorchPeer, ATimeThatIsNoneIsRefused) {
  for (const char* time : {"0", "-3", "null", "\"fast\""}) {
    TorchPeer peer = peer_that(std::string{hello} + prepared + "read r; echo '{\"ok\": true, " +
                               "\"cold_us\": " + time + ", \"warm_us\": 2, \"eager_us\": 4}'");
    peer.prepare(task());
    EXPECT_THROW(peer.measure("cpu"), ChildFailure) << time;
  }
}

/// The script itself, where the python that runs it has no torch.
TEST(TorchPeer, TheScriptSaysThatTorchIsAbsent) {
  const test::TempDir directory;
  test::write_text(directory.path() / "torch.py", "raise ImportError('none here')");
  const std::string script = FLASHCORE_SOURCE_DIR "/tools/peers/torch_sdpa.py";
  const std::string why =
      not_measured(TorchPeer({"env", "PYTHONPATH=" + directory.path().string(), "python3", script},
                             std::chrono::seconds(30)));
  EXPECT_NE(why.find("none here"), std::string::npos) << why;
}

}  // namespace
}  // namespace flashcore::bench
