// The public C++ API end to end on the CPU.
#include <gtest/gtest.h>
#include <flashcore/flashcore.hpp>

#include <cmath>
#include <thread>
#include <vector>

#include "core/host_tensor.h"
#include "gate/accuracy.h"
#include "gate/random_problem.h"

namespace flashcore {
namespace {

Tensor tensor_of(core::HostTensor& t, const core::Strides& s, int64_t batch, int64_t heads,
                 int64_t seq, int64_t head_dim) {
  return {t.data(), static_cast<int32_t>(t.dtype()), batch, heads, seq, head_dim, s.batch, s.head,
          s.seq};
}

Attention attention_of(core::HostCall& call) {
  const auto& p = call.problem;
  Attention a;
  a.q = tensor_of(call.q, p.q_strides, p.batch, p.heads_q, p.seq_q, p.head_dim);
  a.k = tensor_of(call.k, p.k_strides, p.batch, p.heads_kv, p.seq_kv, p.head_dim);
  a.v = tensor_of(call.v, p.v_strides, p.batch, p.heads_kv, p.seq_kv, p.head_dim);
  a.o = tensor_of(call.o, p.o_strides, p.batch, p.heads_q, p.seq_q, p.head_dim);
  a.mask = {static_cast<MaskKind>(p.mask.kind), p.mask.window_left, p.mask.window_right};
  a.lse = {call.lse.data(), p.lse_strides.batch, p.lse_strides.head, p.lse_strides.seq};
  return a;
}

TEST(Api, RandomProblemsAgreeWithTheOracleThroughTheCApi) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    auto call = core::HostCall::random(gate::random_problem(seed, {.max_seq = 96}), seed);
    const Attention attention = attention_of(call);
    Workspace workspace(workspace_size(attention));
    attention_forward(attention, {.workspace = workspace.span()});
    const auto accuracy = gate::check_accuracy(call, true, true);
    ASSERT_TRUE(accuracy.correct) << "seed " << seed << ' ' << call.problem.to_string() << ": "
                                  << accuracy.reason;
  }
}

TEST(Api, AScaleThatIsGivenIsTheOneThatIsUsed) {
  auto call =
      core::HostCall::random(core::contiguous_problem(core::Dtype::float32, 1, 1, 1, 5, 7, 8), 1);
  call.scale = 0.0F;  // every key weighs the same
  Attention attention = attention_of(call);
  attention.scale = 0.0F;
  Workspace workspace(workspace_size(attention));
  attention_forward(attention, {.workspace = workspace.span()});
  EXPECT_NEAR(call.lse[0], std::log(7.0F), 1e-6);
  EXPECT_TRUE(gate::check_accuracy(call, true, false).correct);
}

TEST(Api, TheChoiceNamesBackendFamilyConfigAndReason) {
  auto call =
      core::HostCall::random(core::contiguous_problem(core::Dtype::float32, 1, 1, 1, 5, 7, 8), 1);
  const Choice choice = choose(attention_of(call));
  EXPECT_EQ(choice.backend, "cpu");
  EXPECT_EQ(choice.family, "cpu_blocked");
  EXPECT_NE(choice.config.find("block_q="), std::string::npos) << choice.config;
  EXPECT_FALSE(choice.reason.empty());
}

TEST(Api, SupportsNeedsNoData) {
  Attention attention;
  attention.q = attention.k = attention.v = attention.o =
      bhsd(nullptr, Dtype::float16, 1, 2, 8, 64);
  EXPECT_EQ(why_unsupported(attention), std::nullopt);
  attention.k.head_dim = 32;
  EXPECT_EQ(why_unsupported(attention), "k: head_dim 32 differs from q: head_dim 64");
}

TEST(Api, ErrorsBelongToTheThreadThatMadeThem) {
  EXPECT_NE(flashcore_attention_forward(nullptr, nullptr), FLASHCORE_OK);
  std::string other = "unset";
  std::thread([&] { other = flashcore_last_error(); }).join();
  EXPECT_EQ(other, "");
  EXPECT_STREQ(flashcore_last_error(), "attention: is null");
}

}  // namespace
}  // namespace flashcore
