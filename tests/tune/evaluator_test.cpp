// Workers that crash, hang, print garbage or leave: recorded against the candidate, and the next
// one gets a new worker. The kernels are compiled, and executed by the emulator.
#include "tune/evaluator.h"

#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "core/error.h"
#include "jit/compiler.h"
#include "support/message_of.h"
#include "support/temp_dir.h"

namespace flashcore::tune {
namespace {

using family::ConfigFields;
using flashcore::test::message_of;

constexpr core::Arch sm_90a{9, 0, true};

core::Problem tiny_problem() {
  return core::contiguous_problem(core::Dtype::float16, 1, 1, -1, 32, -1, 32);
}

class EvaluatorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!jit::compiler_available()) GTEST_SKIP() << jit::compiler_unavailable_reason();
  }

  static EvaluatorOptions options() {
    EvaluatorOptions options;
    options.worker_command = {FLASHCORE_COMMAND, "worker"};
    options.emulated = sm_90a;
    return options;
  }

  Evaluator evaluator(EvaluatorOptions options) {
    return Evaluator(*family_, tiny_problem(), core::limits_of(sm_90a), std::move(options));
  }

  ConfigFields config(const char* changes) const {
    const auto base = family_->default_config(tiny_problem(), core::limits_of(sm_90a));
    return family::overlaid(base, ConfigFields::parse(changes));
  }

  const family::Family* family_ = family::find_family("forward_scalar");
};

TEST_F(EvaluatorTest, CandidatesAreCompiledAndCheckedCheapestFirst) {
  const std::vector configs{config("block_kv=32"), config("threads_per_row=3"),
                            config("block_q=16")};
  std::vector<std::string> events;
  const auto outcomes = evaluator(options()).evaluate(
      configs, {.launching = [&](std::size_t i) { events.push_back(fmt::format("launch {}", i)); },
                .done =
                    [&](std::size_t i, const Outcome& outcome) {
                      static std::mutex mutex;
                      const std::scoped_lock lock(mutex);
                      events.push_back(fmt::format("done {} {}", i, name(outcome.cause)));
                    }});
  for (const std::size_t i : {0U, 2U}) {
    EXPECT_EQ(outcomes[i].cause, Cause::none) << outcomes[i].detail;
    EXPECT_GT(outcomes[i].resources->registers, 0);
    EXPECT_GT(outcomes[i].max_error, 0);
    EXPECT_TRUE(outcomes[i].deterministic);
    EXPECT_GT(outcomes[i].compile_s, 0);
    EXPECT_FALSE(outcomes[i].eligible()) << "the emulator times nothing";
  }
  EXPECT_EQ(outcomes[1].cause, Cause::invalid);
  EXPECT_EQ(outcomes[1].detail, "threads_per_row 3 is not a power of two up to 32");
  EXPECT_EQ(events, (std::vector<std::string>{"done 1 invalid", "launch 0", "done 0 none",
                                              "launch 2", "done 2 none"}));
}

TEST_F(EvaluatorTest, EveryWayToTakeAWorkerDownIsRecordedAndTheSearchGoesOn) {
  const std::map<std::string, std::pair<bench::Fault, Cause>> faults{
      {config("block_kv=8").to_string(), {{"screen", "crash"}, Cause::crashed}},
      {config("block_kv=16").to_string(), {{"screen", "hang"}, Cause::hung}},
      {config("block_kv=32").to_string(), {{"screen", "garbage"}, Cause::garbage}},
      {config("block_kv=64").to_string(), {{"screen", "exit"}, Cause::exited}},
      {config("block_kv=8,block_q=16").to_string(), {{"compile", "crash"}, Cause::crashed}},
      {config("block_kv=8,block_q=32").to_string(), {{"compile", "hang"}, Cause::hung}}};
  EvaluatorOptions own = options();
  own.time_limit = std::chrono::seconds(5);
  own.fault = [&](const ConfigFields& each) {
    const auto found = faults.find(each.to_string());
    return found == faults.end() ? bench::Fault{} : found->second.first;
  };
  std::vector<ConfigFields> configs;
  for (const auto& [text, fault] : faults) {
    configs.push_back(ConfigFields::parse(text));
    configs.push_back(config("block_q=64"));  // sound, behind each of them
  }
  const auto outcomes = evaluator(own).evaluate(configs, {});
  for (std::size_t i = 0; i < configs.size(); ++i) {
    const auto fault = faults.find(configs[i].to_string());
    const Cause expected = fault == faults.end() ? Cause::none : fault->second.second;
    EXPECT_EQ(outcomes[i].cause, expected) << configs[i].to_string() << ": " << outcomes[i].detail;
  }
}

/// A worker of a few lines of shell: sound but for what `screen` and `measure` answer.
std::vector<std::string> fake_worker(const std::string& screen, const std::string& measure) {
  return {"sh", "-c",
          R"(while read -r line; do case $line in
  *'"do":"compile"'*) echo '{"ok":true,"report":{"registers":40,"spill_bytes":0,"stack_bytes":0,"smem_bytes":0,"barriers":1,"register_budget":64}}';;
  *'"do":"screen"'*) )" +
              screen + R"(;;
  *'"do":"measure"'*) )" +
              measure + R"(;;
  *) echo '{"ok":true}';;
esac; done)"};
}

constexpr const char* sound_screen =
    R"(echo '{"ok":true,"correct":true,"max_error":1e-4,"finite":true,"deterministic":true,"detail":""}')";

class FakeWorker : public EvaluatorTest {
 protected:
  Outcome outcome_of(const std::string& screen, const std::string& measure) {
    EvaluatorOptions own = options();
    own.emulated.reset();  // timed, by who only says so
    own.worker_command = fake_worker(screen, measure);
    return evaluator(own).evaluate(std::vector{config("block_kv=32")}, {}).front();
  }
};

TEST_F(FakeWorker, TimesAreTheMedianOfTheRounds) {
  const Outcome outcome =
      outcome_of(sound_screen,
                 R"(n=$((n+1)); echo "{\"ok\":true,\"cold_us\":$n,\"warm_us\":1,\"eager_us\":1}")");
  EXPECT_EQ(outcome.cause, Cause::none) << outcome.detail;
  EXPECT_EQ(outcome.latency_us, 3);
  EXPECT_GT(outcome.noise, 0);
  EXPECT_EQ(outcome.resources->registers, 40);
}

TEST_F(FakeWorker, WrongAndChangingResultsAreGatesFailed) {
  const std::string measure = R"(echo '{"ok":true,"cold_us":1,"warm_us":1,"eager_us":1}')";
  const Outcome wrong = outcome_of(
      R"(echo '{"ok":true,"correct":false,"max_error":0.5,"finite":false,"deterministic":false,"detail":"o[0] is nan"}')",
      measure);
  EXPECT_EQ(wrong.cause, Cause::incorrect);
  EXPECT_TRUE(wrong.nan);
  EXPECT_FALSE(wrong.deterministic);
  EXPECT_EQ(wrong.detail, "o[0] is nan");
  EXPECT_EQ(wrong.latency_us, 0) << "what is wrong is not timed";
  const Outcome changing = outcome_of(
      R"(echo '{"ok":true,"correct":true,"max_error":0,"finite":true,"deterministic":false,"detail":""}')",
      measure);
  EXPECT_EQ(changing.cause, Cause::not_deterministic);
}

TEST_F(FakeWorker, ErrorsOfTheDriverAreTheCandidates) {
  const auto error = [](const char* status) {
    return fmt::format(R"(echo '{{"ok":false,"error":"said so","status":"{}"}}')", status);
  };
  EXPECT_EQ(outcome_of(error("device failed"), "").cause, Cause::device_failed);
  EXPECT_EQ(outcome_of(error("out of memory"), "").cause, Cause::out_of_memory);
  EXPECT_EQ(outcome_of(error("unsupported"), "").cause, Cause::invalid);
  EXPECT_EQ(outcome_of(sound_screen, error("device failed")).cause, Cause::device_failed);
}

TEST_F(FakeWorker, AnswersThatLackTheirMembersAreGarbage) {
  EXPECT_EQ(outcome_of("echo '{\"ok\":true}'", "").cause, Cause::garbage);
  EXPECT_EQ(outcome_of(sound_screen, "echo '{\"ok\":true}'").cause, Cause::garbage);
  EXPECT_EQ(outcome_of(sound_screen, R"(echo '{"ok":true,"cold_us":0}')").cause, Cause::garbage);
}

TEST_F(FakeWorker, SpillsEndACandidateBeforeItRuns) {
  EvaluatorOptions own = options();
  own.worker_command = {"sh", "-c", R"(while read -r line; do case $line in
  *'"do":"compile"'*) echo '{"ok":true,"report":{"registers":70,"spill_bytes":12,"stack_bytes":0,"smem_bytes":0,"barriers":1,"register_budget":64}}';;
  *) echo '{"ok":true}';;
esac; done)"};
  bool launched = false;
  const auto outcome = evaluator(own)
                           .evaluate(std::vector{config("block_kv=32")},
                                     {.launching = [&](std::size_t) { launched = true; }})
                           .front();
  EXPECT_EQ(outcome.cause, Cause::over_budget);
  EXPECT_NE(outcome.detail.find("spill_bytes"), std::string::npos) << outcome.detail;
  EXPECT_FALSE(launched);
}

TEST_F(FakeWorker, ADeviceThatRunsNothingAnyMoreEndsTheSearchAndIsNoCandidatesFault) {
  const flashcore::test::TempDir folder;
  EvaluatorOptions own = options();
  own.worker_command = fake_worker("[ ! -e " + folder.file("once") + " ] || exit 9; touch " +
                                       folder.file("once") + "; " + sound_screen,
                                   "");
  std::vector<std::size_t> done;
  const std::vector configs{config("block_kv=32"), config("block_kv=16")};
  const std::string message = message_of([&] {
    evaluator(own).evaluate(configs,
                            {.done = [&](std::size_t i, const Outcome&) { done.push_back(i); }});
  });
  EXPECT_NE(message.find("no longer runs " + configs[0].to_string()), std::string::npos) << message;
  EXPECT_EQ(done, (std::vector<std::size_t>{0})) << "the other is not recorded";
}

TEST_F(EvaluatorTest, AWorkerThatCannotBeStartedEndsTheSearch) {
  EvaluatorOptions own = options();
  own.worker_command = {"/nonexistent/worker"};
  EXPECT_NE(message_of([&] {
              evaluator(own).evaluate(std::vector{config("block_kv=32")}, {});
            }).find("/nonexistent/worker cannot be started"),
            std::string::npos);
}

TEST_F(EvaluatorTest, EveryDeviceHasAWorkerOfItsOwn) {
  const flashcore::test::TempDir folder;
  EvaluatorOptions own = options();
  own.emulated.reset();
  own.devices = {0, 1};
  // The first to be asked waits for the other: with one worker for both it would wait in vain.
  own.worker_command =
      fake_worker("touch " + folder.file("$$") + "; i=0; while [ $(ls " + folder.path().string() +
                      " | wc -l) -lt 2 ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done; [ $i "
                      "-lt 100 ] && " +
                      sound_screen,
                  R"(echo '{"ok":true,"cold_us":1,"warm_us":1,"eager_us":1}')");
  const std::vector configs(2, config("block_kv=32"));
  for (const Outcome& outcome : evaluator(own).evaluate(configs, {}))
    EXPECT_EQ(outcome.latency_us, 1) << outcome.detail;
}

}  // namespace
}  // namespace flashcore::tune
