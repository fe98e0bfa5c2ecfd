#include "cpu/backend.h"

#include <gtest/gtest.h>

#include <string>

#include "cpu/forward.h"
#include "forward_helper.h"
#include "gate/accuracy.h"
#include "gate/random_problem.h"

namespace flashcore::cpu {
namespace {

using core::HostCall;
using core::Problem;

TEST(Backend, AgreesWithTheOracleOnRandomProblems) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const Problem problem = gate::random_problem(seed, {});
    HostCall call = HostCall::random(problem, seed);
    run(call);
    const gate::Accuracy accuracy = gate::check_accuracy(call, true, true);
    EXPECT_TRUE(accuracy.correct) << "seed " << seed << ": " << problem.to_string() << ": "
                                  << accuracy.reason;
  }
}

TEST(Backend, EveryInstructionSetAgreesWithTheOracle) {
  ThreadPool pool(1);
  for (const SimdKernel& kernel : available_kernels())
    for (std::uint64_t seed = 1000; seed < 1060; ++seed) {
      const Problem problem = gate::random_problem(seed, {.max_batch = 1, .max_seq = 150});
      HostCall call = HostCall::random(problem, seed);
      run(call, kernel, pool);
      const gate::Accuracy accuracy = gate::check_accuracy(call, true, true);
      EXPECT_TRUE(accuracy.correct) << kernel.name << " seed " << seed << ": "
                                    << problem.to_string() << ": " << accuracy.reason;
    }
}

}  // namespace
}  // namespace flashcore::cpu
