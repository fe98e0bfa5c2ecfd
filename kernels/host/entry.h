// From a kernel to its Module. A module's one translation unit includes this, then the kernel, and
// defines `extern "C" const flashcore::host::Module flashcore_emulated` as module_of<kernel>().
#pragma once

#include "host/current.h"
#include "host/hooks.h"
#include "host/module.h"

// The words that CUDA adds to a kernel's declaration mean nothing here.
#define __global__
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __grid_constant__

namespace flashcore::host {

template <typename Params>
struct KernelOf {
  /// The argument is copied to the thread's own stack, as a GPU has it in constant memory.
  template <void (*kernel)(Params)>
  [[gnu::no_sanitize("thread")]] static void run_thread(Machine& on, const void* params) {
    machine = &on;
    kernel(*static_cast<const Params*>(params));
  }
};

template <typename Params>
KernelOf<Params> kernel_of(void (*)(const Params));

/// The module of a kernel that takes one struct.
template <auto kernel>
constexpr Module module_of() {
  return {module_version, decltype(kernel_of(kernel))::template run_thread<kernel>};
}

}  // namespace flashcore::host
