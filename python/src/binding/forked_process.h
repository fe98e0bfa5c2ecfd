// CUDA in a process that was forked: the driver serves a child only where the parent never used it.
#pragma once

namespace flashcore::python {

inline constexpr const char* forked_hint =
    " (this process was forked, and CUDA works in no child of a process that has used it: start it "
    "with multiprocessing's method \"spawn\" or \"forkserver\")";

/// To be called once, when the module is imported.
void watch_forks();

/// Whether this process is a child that was forked after the module was imported.
bool forked_after_import();

/// Throws RuntimeError where this process was forked after FlashCore had used CUDA; otherwise
/// remembers that it does now. Called before anything that starts the driver.
void about_to_use_cuda();

}  // namespace flashcore::python
