// Four warps that execute matrix products together.
#pragma once

#include "device/ptx/thread.h"

namespace flashcore::device {

inline constexpr int warpgroup_threads = 128;

inline int warpgroup_index() {
  return thread_index() / warpgroup_threads;
}

}  // namespace flashcore::device
