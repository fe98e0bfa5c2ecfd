#include "bench/summary.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace flashcore::bench {
namespace {

gate::CaseRecord compared(std::int64_t seq, const char* backend, double ratio) {
  gate::CaseRecord record;
  record.variant = "phase_2e";
  record.problem = core::contiguous_problem(core::Dtype::float16, 1, 8, 8, seq, seq, 64);
  const gate::Summary all{ratio, ratio, ratio, ratio, ratio, 7};
  record.peers.push_back({.name = "torch_sdpa",
                          .backend = backend,
                          .version = "",
                          .timing = {},
                          .comparison = gate::PeerComparison{all, 0},
                          .not_measured = ""});
  return record;
}

TEST(Summary, IsTheGeometricMeanAndTheWorstCellOfEachPeer) {
  const std::vector<gate::CaseRecord> records{
      compared(512, "flash", 0.5), compared(1024, "flash", 2), compared(2048, "flash", 1),
      compared(512, "cudnn", 3)};
  const auto summaries = summarize_peers(records);
  ASSERT_EQ(summaries.size(), 2U);
  EXPECT_EQ(summaries[0].peer, "torch_sdpa flash");
  EXPECT_EQ(summaries[0].cells, 3);
  EXPECT_NEAR(summaries[0].mean_ratio, 1, 1e-12);
  EXPECT_EQ(summaries[0].worst_ratio, 2);
  EXPECT_EQ(summaries[0].worst_problem, records[1].problem.to_string());
  EXPECT_EQ(summary_to_json(summaries)[1]["geometric_mean_ratio"], summaries[1].mean_ratio);
}

TEST(Summary, WhatWasNotComparedIsLeftOut) {
  std::vector<gate::CaseRecord> records{compared(512, "flash", 0.5)};
  records[0].peers[0].comparison.reset();
  EXPECT_TRUE(summarize_peers(records).empty());
}

}  // namespace
}  // namespace flashcore::bench
