// No dead knobs: every field of every family's Config changes the machine code or the launch.
#include <gtest/gtest.h>

#include "family/family.h"
#include "jit/compiler.h"

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

TEST(Knobs, EveryFieldChangesTheMachineCodeOrTheLaunch) {
  if (!jit::compiler_available()) GTEST_SKIP() << jit::compiler_unavailable_reason();
  const auto gpu = core::limits_of({8, 0});
  for (const Family* family : all_families()) {
    const auto problem = core::contiguous_problem(core::Dtype::float16, 1, 2, 2, 300, 300, 32);
    const auto base = family->default_config(problem, gpu);
    const auto base_outcome = outcome_of(*family, problem, base, gpu);
    const auto space = family->space(problem, gpu);
    const auto shipped = family->shipped_configs(gpu);
    for (const auto& [field, value] : base.fields()) {
      SCOPED_TRACE(std::string{family->name()} + " field " + field);
      // A Config of the space that differs from the default in this field alone.
      const auto neighbour = std::find_if(space.begin(), space.end(), [&](ConfigFields candidate) {
        if (candidate.at(field) == value) return false;
        candidate.set(field, value);
        return candidate == base;
      });
      if (neighbour == space.end()) {
        // Fixed by the Problem (dtype, head_dim): another Problem's default differs in it.
        const auto other = std::find_if(shipped.begin(), shipped.end(), [&](const auto& candidate) {
          return candidate.at(field) != value;
        });
        ASSERT_NE(other, shipped.end()) << "no Config ever differs in it";
        EXPECT_NE(jit::compile(family->kernels(*other)[0], gpu.arch).cubin, base_outcome.cubins[0]);
        continue;
      }
      EXPECT_NE(outcome_of(*family, problem, *neighbour, gpu), base_outcome)
          << neighbour->to_string();
    }
  }
}

}  // namespace
}  // namespace flashcore::family
