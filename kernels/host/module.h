// What the shared object of one emulated kernel exports, and all that src/emulate knows of it.
#pragma once

namespace flashcore::host {

class Machine;

/// Of this struct and of the Machine's functions together: a module of another version is refused.
inline constexpr int module_version = 3;

struct Module {
  int version;
  /// Runs one thread of a grid: makes the machine this system thread's own, copies the argument
  /// struct at `params` and calls the kernel, every instruction of which goes to the machine.
  void (*run_thread)(Machine& machine, const void* params);
};

/// The symbol's name: extern "C" const Module flashcore_emulated.
inline constexpr const char* module_symbol = "flashcore_emulated";

}  // namespace flashcore::host
