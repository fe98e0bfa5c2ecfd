// No dead knobs: every field of every family's Config changes the machine code or the launch.
#include <gtest/gtest.h>

#include "family/family.h"
#include "jit/compiler.h"
#include "support/family_param.h"

namespace flashcore::family {
namespace {

struct Outcome {
  std::vector<std::vector<std::uint8_t>> cubins;
  std::vector<cuda::LaunchShape> shapes;
  bool operator==(const Outcome&) const = default;
};

Outcome outcome_of(const Family& family, const core::Problem& problem, const ConfigFields& config,
                   const core::GpuLimits& gpu) {
  Outcome outcome;
  for (const auto& spec : family.kernels(config))
    outcome.cubins.push_back(jit::compile(spec, gpu.arch).cubin);
  outcome.shapes = family.prepare(problem, config, gpu)->shapes();
  return outcome;
}

std::optional<ConfigFields> default_differing_in(const Family& family, const std::string& field,
                                                 std::int64_t value, const core::GpuLimits& gpu) {
  for (const core::Dtype dtype : {core::Dtype::float16, core::Dtype::bfloat16})
    for (const int head_dim : {32, 64, 128}) {
      const auto problem = core::contiguous_problem(dtype, 1, 2, 2, 300, 300, head_dim);
      if (auto config = family.default_config(problem, gpu); config.at(field) != value)
        return config;
    }
  return std::nullopt;
}

/// Two Configs of the Problem's space that differ in this field alone, where there are any. The
/// first one has `value`.
std::optional<std::pair<ConfigFields, ConfigFields>> pair_differing_in(
    const std::vector<ConfigFields>& space, const std::string& field, std::int64_t value) {
  for (const ConfigFields& candidate : space) {
    if (candidate.at(field) == value) continue;
    ConfigFields twin = candidate;
    twin.set(field, value);
    if (std::find(space.begin(), space.end(), twin) != space.end()) return {{twin, candidate}};
  }
  return std::nullopt;
}

/// One test for each family: compiling is most of the time.
class Knobs : public ::testing::TestWithParam<const Family*> {};

INSTANTIATE_TEST_SUITE_P(OfEveryFamily, Knobs, ::testing::ValuesIn(all_families()),
                         test::family_name);

TEST_P(Knobs, EveryFieldChangesTheMachineCodeOrTheLaunch) {
  if (!jit::compiler_available()) GTEST_SKIP() << jit::compiler_unavailable_reason();
  const Family* family = GetParam();
  const auto gpu = core::limits_of(family->archs().front());
  const auto problem = core::contiguous_problem(core::Dtype::float16, 1, 2, 2, 300, 300, 32);
  // Some fields are free only where a row is long, or heads are grouped.
  const auto wide = core::contiguous_problem(core::Dtype::float16, 1, 4, 2, 300, 300, 128);
  const auto base = family->default_config(problem, gpu);
  const auto base_outcome = outcome_of(*family, problem, base, gpu);
  const auto space = family->space(problem, gpu);
  const auto wide_space = family->space(wide, gpu);
  for (const auto& [field, value] : base.fields()) {
    SCOPED_TRACE(std::string{family->name()} + " field " + field);
    // A Config of the space that differs from the default in this field alone.
    const auto neighbour = std::find_if(space.begin(), space.end(), [&](ConfigFields candidate) {
      if (candidate.at(field) == value) return false;
      candidate.set(field, value);
      return candidate == base;
    });
    if (neighbour != space.end()) {
      EXPECT_NE(outcome_of(*family, problem, *neighbour, gpu), base_outcome)
          << neighbour->to_string();
    } else if (const auto pair = pair_differing_in(wide_space, field, value)) {
      EXPECT_NE(outcome_of(*family, wide, pair->first, gpu),
                outcome_of(*family, wide, pair->second, gpu))
          << pair->second.to_string();
    } else {
      // Fixed by the Problem (dtype, head_dim): another Problem's default differs in it.
      const auto other = default_differing_in(*family, field, value, gpu);
      ASSERT_TRUE(other) << "no Config ever differs in it";
      EXPECT_NE(jit::compile(family->kernels(*other)[0], gpu.arch).cubin, base_outcome.cubins[0]);
    }
  }
}

}  // namespace
}  // namespace flashcore::family
