// The CPU backend with its instruction set and its threads given: what backend.h runs with the best
// kernel on the process's pool, and the tests with every other one.
#pragma once

#include <cstddef>

#include "core/problem.h"
#include "cpu/simd_kernel.h"
#include "cpu/thread_pool.h"

namespace flashcore::cpu {

std::size_t workspace_bytes(const core::Problem& problem, const SimdKernel& kernel, int threads);

void forward(const core::Problem& problem, const core::Arguments& arguments,
             const SimdKernel& kernel, ThreadPool& pool);

}  // namespace flashcore::cpu
