// Tuned records: what is answered exactly, from a neighbour, or not at all, and malformed files.
#include "dispatch/tuned.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "dispatch/selection.h"
#include "dispatch/tuned_files.h"
#include "support/command.h"
#include "support/message_of.h"
#include "support/temp_dir.h"

namespace flashcore::dispatch {
namespace {

using core::Problem;
using nlohmann::json;
using test::message_of;
using test::TempDir;

constexpr const char* h100 = "NVIDIA H100 80GB HBM3";
constexpr core::Arch sm_90a{9, 0, true};

const family::Family& mma() {
  return *family::find_family("forward_mma");
}

Problem problem_of(std::int64_t batch, std::int64_t seq, core::Mask mask = {},
                   std::int64_t head_dim = 64) {
  return core::contiguous_problem(core::Dtype::float16, batch, 8, -1, seq, -1, head_dim, mask);
}

/// The default with another number of stages.
TunedRecord record_for(const Problem& problem, int stages = 2) {
  TunedRecord record{.family = "forward_mma",
                     .problem = problem,
                     .config = mma().default_config(problem, core::limits_of(sm_90a)),
                     .gpu = h100,
                     .arch = "sm_90a",
                     .driver = "580",
                     .nvrtc = "13.0",
                     .source_hash = "",
                     .time_us = 6,
                     .noise = 0.01,
                     .default_us = 7,
                     .date = "2026-11-22",
                     .commit = "abc"};
  record.config.set("stages", stages);
  record.source_hash = source_hash(mma(), record.config, sm_90a);
  return record;
}

TunedAnswer find(const std::vector<TunedRecord>& records, const Problem& problem,
                 const char* gpu = h100) {
  return find_tuned(records, mma(), problem, gpu, core::limits_of(sm_90a));
}

TEST(Tuned, TheSameProblemIsAnsweredExactly) {
  const auto answer = find({record_for(problem_of(1, 1024)), record_for(problem_of(1, 512), 3)},
                           problem_of(1, 512));
  EXPECT_EQ(answer.match, TunedMatch::exact);
  EXPECT_EQ(answer.distance, 0);
  EXPECT_EQ(answer.config, record_for(problem_of(1, 512), 3).config);
  EXPECT_EQ(answer.reason, "tuned for exactly this Problem");
}

TEST(Tuned, ANeighbourIsAnsweredWithItsDistance) {
  const auto answer = find({record_for(problem_of(32, 512)), record_for(problem_of(8, 512), 3)},
                           problem_of(16, 600));
  EXPECT_EQ(answer.match, TunedMatch::nearest);
  EXPECT_NEAR(answer.distance, 1 + 2 * std::log2(600.0 / 512), 1e-9);
  EXPECT_EQ(answer.reason, "tuned for fp16 b=32 h=8 s=512 d=64, at distance 1.46");
}

/// The mission shape's tile would leave four times its heads waiting.
TEST(Tuned, ANeighbourForWhichTheFamilyTakesAnotherConfigIsNotUsed) {
  const auto answer = find({record_for(problem_of(1, 512))}, problem_of(4, 512));
  EXPECT_EQ(answer.match, TunedMatch::none);
  EXPECT_EQ(answer.reason,
            "a record for fp16 b=1 h=8 s=512 d=64 is not used: the family's default for it is "
            "another");
}

TEST(Tuned, WhatIsFarOrOfAnotherKindIsNotUsed) {
  const std::vector records{record_for(problem_of(1, 512))};
  EXPECT_EQ(find(records, problem_of(1, 2048)).match, TunedMatch::none);
  EXPECT_EQ(find(records, problem_of(1, 512, {core::MaskKind::causal_top_left, -1, -1})).match,
            TunedMatch::none);
  EXPECT_EQ(find(records, problem_of(1, 512, {}, 128)).match, TunedMatch::none);
  Problem other_dtype = problem_of(1, 512);
  other_dtype.dtype = core::Dtype::bfloat16;
  EXPECT_EQ(find(records, other_dtype).match, TunedMatch::none);
  EXPECT_EQ(find(records, problem_of(1, 512), "NVIDIA L4").match, TunedMatch::none);
}

TEST(Tuned, ChangedSourcesAreNotUsedAndThatIsSaid) {
  TunedRecord stale = record_for(problem_of(1, 512));
  stale.source_hash = "0123456789abcdef";
  const auto answer = find({stale}, problem_of(1, 512));
  EXPECT_EQ(answer.match, TunedMatch::none);
  EXPECT_EQ(
      answer.reason,
      "a record for fp16 b=1 h=8 s=512 d=64 is not used: the kernels have changed since it was "
      "tuned");
  TunedRecord stale_too = record_for(problem_of(16, 512));
  stale_too.source_hash = stale.source_hash;
  EXPECT_EQ(find({stale_too, record_for(problem_of(32, 512))}, problem_of(16, 512)).match,
            TunedMatch::nearest)
      << "a sound neighbour serves instead";
}

TEST(Tuned, ConfigsThatTheFamilyHasNotAreNotUsedAndThatIsSaid) {
  TunedRecord strange = record_for(problem_of(1, 512));
  strange.config.add("colour", 3);
  EXPECT_NE(find({strange}, problem_of(1, 512)).reason.find("unknown field colour"),
            std::string::npos);
  TunedRecord invalid = record_for(problem_of(1, 512));
  invalid.config.set("stages", 99);
  EXPECT_EQ(find({invalid}, problem_of(1, 512)).match, TunedMatch::none);
}

TEST(Tuned, RecordsSurviveTheirFileTheLastOfAProblemCounts) {
  const TempDir folder;
  add_tuned(folder.path(), record_for(problem_of(1, 512), 2));
  add_tuned(folder.path(), record_for(problem_of(1, 1024), 2));
  add_tuned(folder.path(), record_for(problem_of(1, 512), 3));
  const TunedFile file = read_tuned(folder.path(), h100, "forward_mma");
  EXPECT_EQ(file.path, folder.path() / "nvidia_h100_80gb_hbm3" / "forward_mma.jsonl");
  EXPECT_TRUE(file.problems.empty());
  ASSERT_EQ(file.records.size(), 2U);
  EXPECT_EQ(tuned_to_json(file.records[1]), tuned_to_json(record_for(problem_of(1, 512), 3)));
  EXPECT_EQ(find(file.records, problem_of(1, 512)).config,
            record_for(problem_of(1, 512), 3).config);
}

TEST(Tuned, MalformedLinesAreNamedAndTheOthersCount) {
  const TempDir folder;
  add_tuned(folder.path(), record_for(problem_of(1, 512)));
  const auto path = read_tuned(folder.path(), h100, "forward_mma").path;
  json unknown = tuned_to_json(record_for(problem_of(1, 1024)));
  unknown["speed"] = 3;
  json misplaced = tuned_to_json(record_for(problem_of(1, 1024)));
  misplaced["gpu"] = "NVIDIA L4";
  test::write_text(path, test::read_text(path) + unknown.dump() + '\n' + misplaced.dump() + '\n' +
                             R"({"version": 1, "fam)");  // cut off
  add_tuned(folder.path(), record_for(problem_of(1, 2048)));
  const TunedFile file = read_tuned(folder.path(), h100, "forward_mma");
  EXPECT_EQ(file.records.size(), 2U) << "what was added after the cut line is whole";
  ASSERT_EQ(file.problems.size(), 3U);
  EXPECT_EQ(file.problems[0], path.string() + ":2: speed is not known here");
  EXPECT_NE(file.problems[1].find(":3: is of forward_mma on NVIDIA L4, which is not this file's"),
            std::string::npos);
  EXPECT_EQ(file.problems[2], path.string() + ":4: is not JSON");
}

/// Those in tuned/: read whole, and Configs of their Problems that are valid.
TEST(Tuned, ShippedRecordsAreReadAndServeTheirProblems) {
  std::size_t records = 0;
  for (const auto* family : family::all_families()) {
    const TunedFile file =
        read_tuned(std::filesystem::path{FLASHCORE_SOURCE_DIR} / "tuned", h100, family->name());
    EXPECT_TRUE(file.problems.empty()) << file.problems.front();
    for (const TunedRecord& record : file.records) {
      SCOPED_TRACE(record.problem.to_string());
      EXPECT_NO_THROW(family->prepare(
          record.problem,
          family::overlaid(family->default_config(record.problem, core::limits_of(sm_90a)),
                           record.config),
          core::limits_of(sm_90a)));
      EXPECT_LE(record.time_us, record.default_us);
      ++records;
    }
  }
  EXPECT_GT(records, 0U);
}

TEST(Tuned, FoldersThatCannotBeWrittenAreErrors) {
  EXPECT_NE(message_of([] {
              add_tuned("/proc/none", record_for(problem_of(1, 512)));
            }).find("/proc/none/nvidia_h100_80gb_hbm3: cannot be made"),
            std::string::npos);
}

TEST(Tuned, TheSourceHashIsOfTheConfigsKernels) {
  const TunedRecord record = record_for(problem_of(1, 512));
  EXPECT_EQ(source_hash(mma(), record.config, sm_90a), record.source_hash);
  EXPECT_NE(source_hash(mma(), record.config, {8, 0}), record.source_hash);
  EXPECT_NE(record_for(problem_of(1, 512), 3).source_hash, record.source_hash);
}

class TunedSelection : public ::testing::Test {
 protected:
  Selection selected(const TunedAnswer& answer, const Obtainable& obtainable) const {
    return select(problem_, core::limits_of({8, 0}), obtainable,
                  [&](const family::Family& family, const Problem&) {
                    return family.name() == "forward_mma" ? answer : TunedAnswer{};
                  });
  }
  static bool always(const jit::KernelSpec& /*spec*/, core::Arch /*arch*/) { return true; }

  Problem problem_ = problem_of(1, 512);
  family::ConfigFields default_ = mma().default_config(problem_, core::limits_of({8, 0}));
};

TEST_F(TunedSelection, SaysWhichOfTheThreeAnswersItIs) {
  family::ConfigFields tuned = default_;
  tuned.set("stages", 3);
  const auto exact =
      selected({TunedMatch::exact, tuned, 0, "tuned for exactly this Problem"}, always);
  EXPECT_EQ(exact.config, tuned);
  EXPECT_NE(exact.reason.find("; tuned for exactly this Problem"), std::string::npos);
  const auto nearest =
      selected({TunedMatch::nearest, tuned, 1, "tuned for that, at distance 1.00"}, always);
  EXPECT_EQ(nearest.config, tuned);
  EXPECT_NE(nearest.reason.find("at distance 1.00"), std::string::npos);
  const auto none = selected({TunedMatch::none, {}, 0, "a record is not used"}, always);
  EXPECT_EQ(none.config, default_);
  EXPECT_NE(none.reason.find("its default Config; a record is not used"), std::string::npos);
}

TEST_F(TunedSelection, WhatCannotBeCompiledGivesWayToTheDefault) {
  family::ConfigFields tuned = default_;
  tuned.set("stages", 3);
  const std::string literal = mma().kernels(tuned).front().name_expression;
  const auto answer = selected(
      {TunedMatch::exact, tuned, 0, "tuned for exactly this Problem"},
      [&](const jit::KernelSpec& spec, core::Arch) { return spec.name_expression != literal; });
  EXPECT_EQ(answer.config, default_);
  EXPECT_NE(answer.reason.find("there is no compiler for the one that was tuned for exactly"),
            std::string::npos)
      << answer.reason;
}

}  // namespace
}  // namespace flashcore::dispatch
