// The CPU backend: blocked attention with an online softmax, threads over (batch, head, query
// block), SIMD chosen at run time.
#pragma once

#include <cstddef>
#include <string>

#include "core/problem.h"
#include "core/support.h"

namespace flashcore::cpu {

/// The family name that results and choices carry.
inline constexpr const char* family_name = "cpu_blocked";

core::Support supports(const core::Problem& problem);

/// The Config in force, for people to read: "block_q=…,block_kv=…,threads=…,simd=…".
std::string describe(const core::Problem& problem);

/// The caller's scratch: threads times one query block's state.
std::size_t workspace_bytes(const core::Problem& problem);

/// Computes o and, where arguments.lse is not null, lse. Returns when both are written. Allocates
/// nothing after the first call of the process. Safe to call from several threads.
void attention_forward(const core::Problem& problem, const core::Arguments& arguments);

/// The instruction set that was picked, as "AVX3", and how many threads are used.
std::string simd_target();
int thread_count();

}  // namespace flashcore::cpu
