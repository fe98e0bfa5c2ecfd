// One item's attention, compiled once per instruction set, and the choice between them.
#pragma once

#include <cstdint>
#include <span>

#include "core/problem.h"
#include "cpu/blocking.h"

namespace flashcore::cpu {

/// What all items of one call share.
struct Task {
  const core::Problem* problem;
  const core::Arguments* arguments;
  Blocking blocking;
};

/// The kernel of one instruction set.
struct SimdKernel {
  const char* name;
  SimdShape shape;
  void (*attend)(const Task& task, const Item& item, const Scratch& scratch);
};

/// The kernels that this CPU can run, the fastest first. Never empty.
std::span<const SimdKernel> available_kernels();

}  // namespace flashcore::cpu
