// The caller's arguments, checked and turned into a Problem.
#pragma once

#include <flashcore/flashcore.h>

#include "core/problem.h"
#include "dispatch/dispatch.h"

namespace flashcore::api {

/// A call as the inside of the library sees it.
struct CheckedCall {
  core::Problem problem;
  core::Arguments arguments;
  dispatch::Device device;
  cuda::StreamHandle stream = nullptr;
};

/// Whether tensors must have data: not for questions about a call that is not made yet.
enum class Data { required, optional };

/// Throws invalid_argument with a message that names the argument and both values.
CheckedCall check(const flashcore_attention* attention, const flashcore_execution* execution,
                  Data data);

}  // namespace flashcore::api
